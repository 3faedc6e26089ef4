//! Users, passwords, sessions and access tokens.

mod store;
mod user;

pub use store::{
    AccountStore, CreateUser, PasswordHash, Rotation, ServerKey, ServerKeyStore, Session, SessionStore, TokenHash,
    UserStore,
};
pub use user::{DisplayName, Email, Role, User};
