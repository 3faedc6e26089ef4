//! What goes over the wire and is not one of core's own types.

mod accounts;
mod boards;
mod incidents;
mod keys;
mod moderation;
mod params;
mod scores;
mod second_factor;
mod security;
mod token_keys;
mod user_file;
mod watch;

pub(crate) use accounts::{
    ConfirmRegistrationRequest, LoginRequest, RefreshRequest, RegisterRequest, SignedInAnswer, TicketAnswer, UserAnswer,
};
pub(crate) use boards::{BoardAnswer, BoardsAnswer};
pub(crate) use incidents::{AssignRequest, DecideRequest, IncidentAnswer, IncidentsAnswer, IncidentsParams};
pub(crate) use keys::KeysAnswer;
pub(crate) use moderation::{
    ActionsRequest, LiftRequest, ModerationAnswer, ModerationsAnswer, ModerationsParams, RestrictionAnswer,
    RestrictionRequest,
};
pub(crate) use params::{AroundParams, HistoryParams, RankParams, StandingParams, TopParams, user_id};
pub(crate) use scores::{ActionAnswer, GenerateActionRequest, ReceiptAnswer, RecordBody, StandingsBody, UpdateRequest};
pub(crate) use second_factor::{
    BeginTotpRequest, CodeRequest, LoginAnswer, MfaAnswer, MfaChallengeRequest, MfaVerifyRequest, RecoveryCodesAnswer,
    TotpAnswer,
};
pub(crate) use security::{
    AddressRequest, ChangeAddressRequest, ConfirmRequest, ForgotRequest, PasswordRequest, ResetRequest, SessionAnswer,
    SessionsAnswer,
};
pub(crate) use token_keys::TokenKeysAnswer;
pub(crate) use user_file::{AccountAnswer, UserActionsParams, UserFileAnswer, UserFileParams};
pub(crate) use watch::WatchParams;
