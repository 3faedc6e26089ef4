//! Each broken adapter fails the suite, by the case named here; the intact one, wrapped in the same way, passes that case.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// One test for each defect: `what it does wrong => the cases that catch it`.
macro_rules! bites {
    ($suite:ident { $($test:ident: $defect:ident => $($case:ident),+;)* }) => {
        mod $suite {
            use scoreboard_core::testing::broken::$suite::*;
            use scoreboard_core::testing::broken::{Broken, Intact};
            use scoreboard_core::testing::{run, $suite as suite};

            $(
                #[test]
                fn $test() {
                    $(
                        run(async |intact: &Broken<Intact>| suite::$case(intact).await);
                        let bites = super::fails(|| run(async |broken: &Broken<$defect>| suite::$case(broken).await));
                        assert!(bites, "`{}` passes `{}`", stringify!($defect), stringify!($case));
                    )+
                }
            )*
        }
    };
}

fn fails(case: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(case)).is_err()
}

bites!(score_store {
    a_repeat_that_counts_again: DoubleApply => a_repeat_counts_once, a_repeat_in_one_batch_counts_once;
    ids_that_nobody_looks_at: DedupeOff => a_repeat_counts_once, a_repeat_in_one_batch_counts_once, one_action_at_once_counts_once;
    a_retry_with_a_new_id: RetryWithNewId => increment_adds, versions_have_no_gap, many_actions_at_once_all_count;
    a_log_by_serials: SerialCursor => who_follows_the_log_misses_nothing;
    a_lost_update: LostUpdate => many_actions_at_once_all_count;
    a_gap_between_versions: VersionGap => versions_have_no_gap;
    a_refused_change_with_a_version: RefusedTakesVersion => a_refused_change_spoils_no_other;
    a_refused_change_that_fails_its_batch: RefusedSpoilsBatch => a_refused_change_spoils_no_other;
    an_ignored_fingerprint: FingerprintIgnored => another_request_with_a_used_id_is_refused;
    a_receipt_that_changes: ReceiptOfNow => a_receipt_stays_the_same;
    an_id_that_counts_on_each_board: OncePerBoard => an_id_counts_on_one_board;
    an_ignored_count: AtMostIgnored => at_most_holds_across_batches, at_most_holds_at_once, at_most_none_refuses_all;
    a_count_blind_in_its_batch: AtMostBlindInBatch => at_most_holds_inside_a_batch;
    a_count_without_its_moment: AtMostAfterMoment => at_most_counts_from_its_moment_on;
    an_ignored_quota: QuotaIgnored => a_quota_holds_across_batches, a_quota_holds_at_once;
    a_quota_blind_in_its_batch: QuotaBlindInBatch => a_quota_holds_inside_a_batch;
    a_quota_by_arrival: QuotaByArrival => a_quota_holds_in_whatever_order_changes_come;
    a_quota_over_its_end: QuotaOverItsEnd => a_quota_holds_across_batches;
    a_quota_used_by_what_is_refused: QuotaUsedByRefused => a_quota_counts_what_counts;
    an_ignored_season: SeasonIgnored => a_change_for_another_season_is_refused, refusals_have_an_order;
    a_clamped_score: RangeClamped => a_score_out_of_range_is_refused;
    outcomes_out_of_order: OutcomesOutOfOrder => outcomes_come_in_order;
    a_batch_in_pieces: BatchInPieces => a_dropped_apply_is_all_or_nothing, an_answer_is_true_at_one_version;
    a_forgotten_previous_score: PreviousScoreForgotten => a_receipt_tells_all, increment_adds;
    an_order_that_is_not_fixed: OrderNotFixed => a_board_with_a_log_keeps_its_order;
    a_spec_that_is_overwritten: SpecOverwritten => one_of_those_who_change_a_spec_at_once_does;
    a_spec_that_takes_a_version: SpecTakesVersion => a_board_with_a_log_changes_its_catalogue;
    an_epoch_that_is_forgotten: EpochForgotten => the_epoch_rises_once, versions_go_on_in_a_new_epoch;
    an_epoch_that_always_rises: EpochAlwaysRises => the_epoch_rises_once;
    a_board_that_is_replaced: CreateReplaces => a_board_is_created_once;
    ties_by_id: TiesById => the_earliest_leads_among_equals, the_latest_leads_among_equals;
    a_change_without_effect_that_moves: IdleChangeReaches => a_score_that_stays_keeps_its_place;
    a_dirty_version: DirtyVersion => an_answer_is_true_at_one_version;
    a_rank_off_by_one: CompetitionOffByOne => ties_are_numbered_by_style;
    ranks_that_start_anew: RanksStartAnew => ranks_go_on_across_pages;
    a_key_that_is_included: KeyIncluded => walking_shows_each_entry_once, pages_lie_next_to_their_key;
    a_tie_that_is_skipped: TiesSkipped => walking_shows_each_entry_once;
    a_total_of_the_page: TotalOfPage => the_top_holds_the_first;
    a_next_page_that_is_not_there: NextIfFull => the_top_holds_the_first, walking_shows_each_entry_once;
    too_few_around: AroundCutShort => around_stays_full_near_the_ends, around_is_a_stretch_of_the_whole;
    any_season: AnySeason => an_unknown_season_is_answered_as_such;
    a_score_before_its_equals: ScoreBeforeEquals => a_score_is_ranked_as_a_new_user_would_be;
    a_total_of_those_asked_for: StandingsTotalOfAsked => standings_come_as_asked;
    standings_reordered: StandingsReordered => standings_come_as_asked;
    forgotten_digests: DigestsForgotten => each_row_is_kept_with_its_digest;
    times_in_seconds: SecondsKept => each_row_is_kept_with_its_digest;
    a_history_upside_down: HistoryOldestFirst => history_is_paged_newest_first;
    a_history_that_repeats: HistoryRepeats => history_is_paged_newest_first;
    stale_reads: StaleReads => reads_see_what_was_applied;
});

bites!(account_store {
    ignored_reuse: ReuseIgnored => a_used_token_ends_its_session;
    a_used_token_that_is_taken: UsedTokenTaken => a_used_token_ends_its_session;
    a_token_that_two_can_use: CheckThenRotate => one_of_two_rotates;
    no_grace: NoGrace => a_token_just_used_is_answered_as_before, many_at_once_get_one_successor;
    grace_without_end: GraceForEver => a_token_just_used_is_answered_as_before;
    a_used_successor: UsedGivenAgain => only_the_newest_is_given_again;
    a_successor_never_kept: OfferedTold => a_token_just_used_is_answered_as_before, many_at_once_get_one_successor;
    sessions_without_end: NeverExpires => a_session_expires;
    a_session_that_does_not_end: EndIgnored => an_ended_session_refuses_its_tokens;
    an_end_that_is_not_listed: EndedAfter => ended_sessions_are_listed;
    sessions_listed_that_are_over: OverListed => the_sessions_of_a_user_are_listed;
    the_session_that_stays_ended: AllEnded => the_other_sessions_of_a_user_are_ended;
    sessions_forgotten_too_soon: ForgetsTooSoon => expired_sessions_are_forgotten;
    a_taken_address: TakenAddressTold => an_address_has_one_account, one_of_many_gets_an_address;
    an_overwritten_password: PasswordOverwritten => a_password_is_replaced_if_it_is_the_old_one, one_of_many_replaces_a_password;
    roles_that_only_grow: RolesAdded => roles_are_set;
    roles_that_are_overwritten: RolesOverwritten => roles_that_changed_meanwhile_stay;
    any_address_confirmed: AnyAddressConfirmed => an_address_is_confirmed_once;
    an_overwritten_address: AddressOverwritten => an_address_is_replaced_if_it_is_the_old_one;
    a_taken_address_given: TakenAddressGiven => an_address_is_replaced_if_it_is_the_old_one, one_of_many_is_given_an_address;
    a_list_that_repeats: ListRepeats => users_are_listed_by_id;
    a_replaced_server_key: ServerKeyReplaced => an_id_has_one_server_key;
    a_server_key_that_stays: ServerKeyKept => a_removed_server_key_is_gone;
    a_signing_server_key_that_is_hidden: SigningServerKeyHidden => server_keys_are_listed;
    a_revoked_key_that_is_forgotten: RevokedKeyForgotten => revoked_keys_are_listed;
});

bites!(factor_store {
    an_overwritten_factor: Overwritten => a_factor_is_replaced_if_it_is_the_old_one, one_of_many_replaces_a_factor;
    a_factor_that_is_taken_away: TakenAway => a_factor_is_taken_away_if_it_is_the_old_one;
    a_factor_compared_before: CheckThenReplace => one_of_many_replaces_a_factor, one_of_many_begins_a_factor;
    a_forgotten_step: StepForgotten => a_factor_is_kept_whole;
    forgotten_wrong_codes: WrongForgotten => a_factor_is_kept_whole;
    tries_without_end: TriesIgnored => a_challenge_is_tried_so_often;
    tries_counted_after: CheckThenTry => a_challenge_is_tried_so_often_at_once;
    a_challenge_for_ever: NeverExpires => a_challenge_expires;
    a_code_that_stays: FirstCodeStays => a_code_takes_the_place_of_the_one_before;
    a_challenge_that_ends_for_all: EndsForAll => a_challenge_ends_once;
    challenges_forgotten_too_soon: ForgetsTooSoon => challenges_that_are_over_are_forgotten;
});

bites!(incident_store {
    one_an_attempt: OneAnAttempt => an_action_and_rule_give_one_incident, one_finding_at_once_gives_one_incident;
    one_an_action: OneAnAction => an_action_and_rule_give_one_incident, an_incident_is_kept_whole;
    oldest_first: OldestFirst => incidents_come_newest_first;
    its_own_id: OwnIdTold => an_action_and_rule_give_one_incident;
    a_repeat_that_is_new: AlwaysNew => an_action_and_rule_give_one_incident, one_finding_at_once_gives_one_incident;
    a_lost_finding: FindingLost => an_incident_is_kept_whole;
    a_filter_that_comes_late: FilteredLate => a_filter_gives_what_it_names;
    a_revision_that_nobody_looks_at: RevisionIgnored => a_step_is_taken_from_what_was_seen, one_of_many_takes_a_step;
    forgotten_steps: StepsForgotten => steps_are_taken_and_kept;
    a_watch_that_goes_back: WatchedGoesBack => what_was_watched_never_goes_back;
});

bites!(board_cache {
    no_floor: NoFloor => an_answer_below_the_floor_is_a_miss, no_answer_is_older_than_an_acknowledged_floor;
    a_floor_that_only_evicts: FloorOnlyEvicts => a_late_old_fill_is_never_served;
    answers_for_ever: NeverExpires => an_answer_expires;
    answers_a_millisecond_too_long: ExpiresLate => an_answer_expires;
    an_ignored_epoch: EpochIgnored => the_epoch_is_compared_first;
    mixed_boards: BoardsMixed => keys_are_told_apart, floors_are_told_apart;
    the_last_put: LastPutWins => an_older_answer_loses;
    a_life_that_stays_whole: LifeStaysWhole => a_hit_tells_what_is_left_of_its_life;
    a_lease_for_ever: LeaseOutlivesAnswer => a_lease_ends_with_the_answer;
});

bites!(moderation_store {
    a_decision_that_counts_twice: CarriedOutTwice => a_decision_is_carried_out_once;
    a_preview_that_does_it: PreviewCarriesOut => a_preview_changes_nothing;
    a_preview_of_less: PreviewTellsLess => a_preview_keeps_its_word;
    what_stays_void: NeverUnvoids => unvoid_brings_the_first_state_back, a_user_with_nothing_left_leaves_and_comes_back;
    action_by_action: ActionByAction => a_score_out_of_range_refuses_the_decision, what_never_counted_cannot_be_void;
    a_ban_that_shadows: BanShadows => who_is_banned_is_nowhere, nothing_slips_past_a_ban;
    a_shadow_that_holds: ShadowHolds => who_is_shadowed_sees_themselves_alone;
    a_hold_that_does_nothing: HoldDoesNothing => who_is_held_keeps_what_others_saw;
    corrections_without_end: CorrectionsFromTheBegin => corrections_of_a_user_are_told;
    a_rule_that_holds_from_now_on: RuleHoldsFromNow => whom_a_rule_holds_is_seen_as_before, a_rule_leaves_who_is_restricted;
    a_case_that_lifts_all: ConcludeLifts => a_rule_leaves_who_is_restricted;
    a_decision_by_anybody: AnybodyDecides => nobody_decides_about_themselves;
    decisions_upside_down: OldestFirst => decisions_are_listed_newest_first;
});

bites!(rate_limiter {
    a_fixed_window: FixedWindow => no_window_has_a_border, random_arrivals_are_counted_exactly;
    one_too_many: OneTooMany => exactly_the_limit_is_admitted, exactly_the_limit_is_admitted_at_once;
    a_bucket_for_the_exact: BucketForExact => exactly_the_limit_is_admitted;
    the_exact_for_a_bucket: ExactForBucket => a_bucket_refills_evenly;
    cell_by_cell: CellByCell => a_refusal_uses_nothing;
    mixed_subjects: SubjectsMixed => subjects_and_policies_are_told_apart;
    a_number_off_by_one: RemainingOffByOne => the_numbers_are_exact, the_numbers_of_a_bucket_are_exact;
    a_retry_too_soon: RetryTooSoon => the_numbers_are_exact, refused_takes_are_not_counted;
    the_first_cell: FirstCellTold => the_tightest_cell_is_told;
    counted_refusals: RefusedCounted => refused_takes_are_not_counted;
    a_check_before_the_count: CheckThenCount => exactly_the_limit_is_admitted_at_once;
    a_limiter_that_forgets: ForgetsInACrowd => nobody_is_forgotten_in_a_crowd;
});

bites!(outstanding_actions {
    one_too_many_under_way: OneTooManyUnderWay => so_many_are_under_way, so_many_are_under_way_at_once;
    users_who_share_places: UsersMixed => users_have_places_of_their_own;
    what_is_never_finished: NeverFinished => a_finished_action_leaves_its_place;
    any_that_is_finished: AnyIsFinished => what_is_not_under_way_is_not_finished;
    what_is_never_over: NeverOver => an_expired_action_leaves_its_place;
    what_is_over_too_soon: OverTooSoon => an_expired_action_leaves_its_place, who_waits_is_told_for_what_and_how_long;
    another_order: ToldAsBegun => who_waits_is_told_for_what_and_how_long;
    one_time_for_all: OneTimeForAll => an_action_has_its_own_time;
    what_is_refused_and_under_way: RefusedUnderWay => a_refused_start_takes_no_place;
    a_repeat_under_way_twice: RepeatUnderWayTwice => a_repeat_takes_one_place;
    a_look_before_the_start: LookThenStart => so_many_are_under_way_at_once;
    full_at_the_number_alone: FullAtTheNumberAlone => a_lower_number_holds_at_once;
    a_crowd_that_is_forgotten: ForgottenInACrowd => many_users_are_told_apart;
});

bites!(one_time_store {
    what_is_taken_again: TakenAgain => what_is_kept_is_taken_once, one_of_many_takes_it;
    a_look_before_it_is_taken: LookThenTake => one_of_many_takes_it;
    something_under_an_unknown_name: UnknownIsEmpty => an_unknown_name_is_none;
    names_cut_short: NamesCutShort => names_are_told_apart;
    names_as_text: NamesAsText => names_are_told_apart;
    nothing_for_what_is_empty: EmptyIsNone => bytes_come_back_as_they_were;
    an_end_at_zero: EndsAtZero => bytes_come_back_as_they_were;
    bytes_as_text: KeptAsText => bytes_come_back_as_they_were;
    what_is_never_over: NeverExpires => what_nobody_takes_is_over_after_its_lifetime;
    what_is_over_too_soon: ExpiresSoon => what_nobody_takes_is_over_after_its_lifetime;
    a_lifetime_in_seconds: LifetimeInSeconds => what_nobody_takes_is_over_after_its_lifetime;
    one_lifetime_for_all: FirstLifetimeForAll => each_has_its_own_lifetime;
});

bites!(broadcaster {
    a_missed_newest: MissesTheNewest => a_slow_watcher_gets_the_newest;
    an_endless_queue: Unbounded => a_slow_watcher_gets_the_newest;
    old_positions: OldTold => positions_rise;
    an_ignored_epoch: EpochIgnored => the_epoch_is_compared_first;
    mixed_boards: BoardsMixed => other_boards_are_silent;
    a_start_with_the_last: StartsWithTheLast => what_was_before_is_not_told;
    a_stream_without_end: NeverEnds => a_stream_ends_with_its_broadcaster;
});

bites!(verifier {
    an_unsigned_id: SkipsId => an_altered_field_is_refused, two_actions_have_two_fingerprints;
    an_unsigned_board: SkipsBoard => an_altered_field_is_refused;
    an_unsigned_season: SkipsSeason => an_altered_field_is_refused;
    an_unsigned_kind: SkipsKind => an_altered_field_is_refused;
    an_unsigned_user: SkipsUser => an_altered_field_is_refused;
    unsigned_points: SkipsPoints => an_altered_field_is_refused;
    an_unsigned_start: SkipsStart => an_altered_field_is_refused;
    an_unsigned_first_moment: SkipsFirstMoment => an_altered_field_is_refused;
    an_unsigned_end: SkipsEnd => an_altered_field_is_refused;
    fields_that_run_together: FieldsRunTogether => fields_do_not_run_together;
    half_a_signature: HalfCompared => an_altered_signature_is_refused;
    any_key: AnyKey => an_unknown_key_is_refused;
    a_verifier_that_believes: BelievesAll => a_stranger_is_refused, an_altered_signature_is_refused;
});

/// A defect that is not named above would prove nothing.
#[test]
fn every_defect_is_tried() {
    let sources = [
        include_str!("../src/testing/broken/account_store.rs"),
        include_str!("../src/testing/broken/board_cache.rs"),
        include_str!("../src/testing/broken/broadcaster.rs"),
        include_str!("../src/testing/broken/factor_store.rs"),
        include_str!("../src/testing/broken/incident_store.rs"),
        include_str!("../src/testing/broken/moderation_store.rs"),
        include_str!("../src/testing/broken/one_time_store.rs"),
        include_str!("../src/testing/broken/outstanding_actions.rs"),
        include_str!("../src/testing/broken/rate_limiter.rs"),
        include_str!("../src/testing/broken/score_store/reads.rs"),
        include_str!("../src/testing/broken/score_store/serials.rs"),
        include_str!("../src/testing/broken/score_store/writes.rs"),
        include_str!("../src/testing/broken/verifier.rs"),
    ];
    let bites = include_str!("suite_bites.rs");
    let mut defects = 0;
    for source in sources {
        // A documented name in one of the macros that declare defects, or a type that is one by itself.
        let lines: Vec<_> = source.lines().collect();
        let documented = lines.windows(2).filter(|pair| pair[0].starts_with("    /// ")).map(|pair| pair[1].trim());
        let by_itself = lines.iter().filter_map(|line| line.strip_prefix("impl Defect for "));
        for name in documented.chain(by_itself).filter_map(|line| line.split([':', ' ']).next()) {
            if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                assert!(bites.contains(&format!(": {name} => ")), "no test tries the defect `{name}`");
                defects += 1;
            }
        }
    }
    let is_tried = |(_, defect): (&str, &str)| defect.starts_with(char::is_uppercase) && defect.contains(" => ");
    let tried = bites.lines().filter(|line| line.ends_with(';') && line.split_once(": ").is_some_and(is_tried));
    assert_eq!(defects, tried.count(), "a file with defects is missing above");
}
