//! The suites' lists of cases: the only ones.

/// Runs the suite [`score_store`](crate::testing::score_store): one `#[test]` for each case, in a module `score_store`.
///
/// The argument is a type that implements [`ScoreStoreFixture`](crate::testing::ScoreStoreFixture).
/// To run a suite on several fixtures in one file, call its macro in a module for each, with `use super::*;`.
#[macro_export]
macro_rules! score_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            score_store,
            $fixture,
            [
                a_new_board_is_empty_at_version_zero,
                a_board_is_created_once,
                one_of_many_creates_a_board,
                an_unknown_board_is_answered_as_such,
                an_unknown_season_is_answered_as_such,
                boards_are_listed_by_id,
                a_board_with_a_log_changes_its_catalogue,
                the_epoch_rises_once,
                versions_go_on_in_a_new_epoch,
                a_board_with_a_log_keeps_its_order,
                a_board_without_a_log_changes_its_order,
                one_of_those_who_change_a_spec_at_once_does,
                an_unknown_board_is_not_changed,
                a_working_store_checks,
                increment_adds,
                decrement_subtracts,
                set_replaces,
                best_keeps_the_better,
                zero_points_enter_the_board,
                versions_have_no_gap,
                outcomes_come_in_order,
                a_batch_builds_on_itself,
                an_empty_batch_does_nothing,
                a_receipt_tells_all,
                a_log_row_holds_all,
                scores_reach_both_ends_of_the_range,
                reads_see_what_was_applied,
                a_change_for_an_unknown_board_is_refused,
                a_change_for_another_season_is_refused,
                a_score_out_of_range_is_refused,
                a_correction_from_outside_is_refused,
                a_refused_change_spoils_no_other,
                a_refused_change_can_count_later,
                refusals_have_an_order,
                a_repeat_counts_once,
                a_repeat_in_one_batch_counts_once,
                a_receipt_stays_the_same,
                another_request_with_a_used_id_is_refused,
                a_repeat_is_known_by_its_fingerprint,
                an_id_counts_on_one_board,
                a_repeat_comes_before_every_refusal,
                an_action_is_found_by_its_id,
                at_most_holds_across_batches,
                at_most_holds_inside_a_batch,
                at_most_counts_from_its_moment_on,
                at_most_counts_from_its_moment_on_inside_a_batch,
                at_most_counts_its_own_kind,
                at_most_counts_what_counts,
                at_most_none_refuses_all,
                a_quota_holds_across_batches,
                a_quota_holds_inside_a_batch,
                a_quota_holds_in_whatever_order_changes_come,
                a_quota_is_of_a_user_on_a_board,
                a_quota_counts_what_counts,
                the_earliest_leads_among_equals,
                the_latest_leads_among_equals,
                times_break_no_ties,
                a_score_that_stays_keeps_its_place,
                coming_back_to_a_score_is_reaching_it_anew,
                a_score_moves_to_its_place,
                ties_are_numbered_by_style,
                ranks_go_on_across_pages,
                ranks_follow_changes,
                standings_come_as_asked,
                standings_of_nobody_are_empty,
                a_score_is_ranked_as_a_new_user_would_be,
                a_score_on_an_empty_board_is_first,
                the_top_holds_the_first,
                pages_lie_next_to_their_key,
                pages_past_the_ends_are_empty,
                a_key_needs_no_entry,
                walking_shows_each_entry_once,
                around_stays_full_near_the_ends,
                around_is_a_stretch_of_the_whole,
                around_nobody_is_empty,
                entries_hold_when_they_were_reached,
                the_log_is_paged_by_version,
                history_is_paged_newest_first,
                a_scan_is_paged_by_user,
                the_log_folds_to_the_scores,
                totals_count_users,
                each_row_is_kept_with_its_digest,
                an_altered_missing_or_reordered_row_is_found,
                a_kept_head_is_found_in_the_log,
                one_action_at_once_counts_once,
                many_actions_at_once_all_count,
                at_most_holds_at_once,
                a_quota_holds_at_once,
                batches_over_boards_do_not_lock_up,
                who_follows_the_log_misses_nothing,
                an_answer_is_true_at_one_version,
                a_dropped_apply_is_all_or_nothing,
                an_aborted_apply_is_all_or_nothing,
                others_are_not_disturbed,
            ]
        );
    };
}

/// Runs the suite [`account_store`](crate::testing::account_store): one `#[test]` for each case, in a module `account_store`.
///
/// The argument is a type that implements [`AccountStoreFixture`](crate::testing::AccountStoreFixture).
#[macro_export]
macro_rules! account_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            account_store,
            $fixture,
            [
                a_user_is_kept_whole,
                an_unknown_user_is_answered_as_such,
                an_address_has_one_account,
                an_id_has_one_account,
                one_of_many_gets_an_address,
                a_password_is_replaced_if_it_is_the_old_one,
                one_of_many_replaces_a_password,
                roles_are_set,
                roles_that_changed_meanwhile_stay,
                an_address_is_confirmed_once,
                an_address_is_replaced_if_it_is_the_old_one,
                one_of_many_is_given_an_address,
                users_are_listed_by_id,
                names_of_known_users_are_given,
                the_newest_token_is_rotated,
                an_unknown_token_is_refused,
                a_used_token_ends_its_session,
                a_token_just_used_is_answered_as_before,
                only_the_newest_is_given_again,
                many_at_once_get_one_successor,
                an_ended_session_refuses_its_tokens,
                ended_sessions_are_listed,
                the_sessions_of_a_user_are_listed,
                the_other_sessions_of_a_user_are_ended,
                a_session_expires,
                expired_sessions_are_forgotten,
                one_of_two_rotates,
                a_dropped_rotation_is_all_or_nothing,
                a_server_key_is_kept_whole,
                an_id_has_one_server_key,
                one_of_many_adds_a_server_key,
                a_removed_server_key_is_gone,
                server_keys_are_listed,
                revoked_keys_are_listed,
            ]
        );
    };
}

/// Runs the suite [`factor_store`](crate::testing::factor_store): one `#[test]` for each case, in a module `factor_store`.
///
/// The argument is a type that implements [`FactorStoreFixture`](crate::testing::FactorStoreFixture).
#[macro_export]
macro_rules! factor_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            factor_store,
            $fixture,
            [
                a_factor_is_kept_whole,
                a_factor_is_replaced_if_it_is_the_old_one,
                a_factor_is_taken_away_if_it_is_the_old_one,
                one_of_many_replaces_a_factor,
                one_of_many_begins_a_factor,
                a_factor_of_another_is_refused,
                factors_are_listed_by_user,
                a_dropped_replacement_is_all_or_nothing,
                a_challenge_is_kept_whole,
                a_challenge_is_tried_so_often,
                a_challenge_is_tried_so_often_at_once,
                a_challenge_expires,
                a_code_takes_the_place_of_the_one_before,
                a_challenge_ends_once,
                challenges_that_are_over_are_forgotten,
            ]
        );
    };
}

/// Runs the suite [`incident_store`](crate::testing::incident_store): one `#[test]` for each case, in a module `incident_store`.
///
/// The argument is a type that implements [`IncidentStoreFixture`](crate::testing::IncidentStoreFixture).
#[macro_export]
macro_rules! incident_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            incident_store,
            $fixture,
            [
                an_incident_is_kept_whole,
                an_action_and_rule_give_one_incident,
                incidents_come_newest_first,
                a_filter_gives_what_it_names,
                one_finding_at_once_gives_one_incident,
                steps_are_taken_and_kept,
                a_step_is_taken_from_what_was_seen,
                one_of_many_takes_a_step,
                what_was_watched_never_goes_back,
            ]
        );
    };
}

/// Runs the suite [`moderation_store`](crate::testing::moderation_store): one `#[test]` for each case, in a module `moderation_store`.
///
/// The argument is a type that implements [`ModerationStoreFixture`](crate::testing::ModerationStoreFixture).
#[macro_export]
macro_rules! moderation_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            moderation_store,
            $fixture,
            [
                a_decision_is_carried_out_once,
                a_decision_without_effect_is_kept,
                what_never_counted_cannot_be_void,
                nobody_decides_about_themselves,
                a_preview_changes_nothing,
                decisions_are_listed_newest_first,
                a_preview_keeps_its_word,
                who_is_banned_is_nowhere,
                who_is_shadowed_sees_themselves_alone,
                a_restriction_holds_on_boards_to_come,
                a_quota_holds_for_who_is_restricted,
                who_is_held_keeps_what_others_saw,
                what_is_void_of_who_is_held_is_void,
                what_is_void_of_who_is_nowhere_shows_later,
                whom_a_rule_holds_is_seen_as_before,
                what_a_rule_held_is_void_or_comes_back,
                a_rule_leaves_who_is_restricted,
                what_is_void_of_whom_a_rule_holds_is_void,
                nothing_slips_past_a_ban,
                decisions_at_once_leave_what_the_log_says,
                a_dropped_decision_is_all_or_nothing,
                what_is_void_does_not_count,
                best_and_set_recover_what_remains,
                unvoid_brings_the_first_state_back,
                a_user_with_nothing_left_leaves_and_comes_back,
                a_score_out_of_range_refuses_the_decision,
                corrections_are_in_the_log,
                a_history_is_what_a_user_did,
                corrections_of_a_user_are_told,
            ]
        );
    };
}

/// Runs the suite [`board_cache`](crate::testing::board_cache): one `#[test]` for each case, in a module `board_cache`.
///
/// The argument is a type that implements [`BoardCacheFixture`](crate::testing::BoardCacheFixture).
#[macro_export]
macro_rules! board_cache_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            board_cache,
            $fixture,
            [
                an_answer_is_kept,
                keys_are_told_apart,
                an_answer_expires,
                a_hit_tells_what_is_left_of_its_life,
                a_lease_ends_with_the_answer,
                an_older_answer_loses,
                the_epoch_is_compared_first,
                an_answer_below_the_floor_is_a_miss,
                a_late_old_fill_is_never_served,
                a_lower_floor_changes_nothing,
                floors_are_told_apart,
                many_answers_stay_true,
                no_answer_is_older_than_an_acknowledged_floor,
            ]
        );
    };
}

/// Runs the suite [`rate_limiter`](crate::testing::rate_limiter): one `#[test]` for each case, in a module `rate_limiter`.
///
/// The argument is a type that implements [`RateLimiterFixture`](crate::testing::RateLimiterFixture).
#[macro_export]
macro_rules! rate_limiter_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            rate_limiter,
            $fixture,
            [
                exactly_the_limit_is_admitted,
                no_window_has_a_border,
                the_numbers_are_exact,
                refused_takes_are_not_counted,
                random_arrivals_are_counted_exactly,
                a_bucket_refills_evenly,
                a_bucket_overflows,
                the_numbers_of_a_bucket_are_exact,
                the_steady_rate_is_never_limited,
                a_bucket_never_admits_more_than_it_holds,
                subjects_and_policies_are_told_apart,
                a_refusal_uses_nothing,
                the_tightest_cell_is_told,
                nobody_is_forgotten_in_a_crowd,
                exactly_the_limit_is_admitted_at_once,
                a_dropped_take_is_all_or_nothing,
            ]
        );
    };
}

/// Runs the suite [`outstanding_actions`](crate::testing::outstanding_actions): one `#[test]` for each case, in a module `outstanding_actions`.
///
/// The argument is a type that implements [`OutstandingActionsFixture`](crate::testing::OutstandingActionsFixture).
#[macro_export]
macro_rules! outstanding_actions_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            outstanding_actions,
            $fixture,
            [
                so_many_are_under_way,
                who_waits_is_told_for_what_and_how_long,
                a_finished_action_leaves_its_place,
                an_expired_action_leaves_its_place,
                an_action_has_its_own_time,
                a_refused_start_takes_no_place,
                a_repeat_takes_one_place,
                what_is_not_under_way_is_not_finished,
                users_have_places_of_their_own,
                a_lower_number_holds_at_once,
                so_many_are_under_way_at_once,
                many_users_are_told_apart,
            ]
        );
    };
}

/// Runs the suite [`one_time_store`](crate::testing::one_time_store): one `#[test]` for each case, in a module `one_time_store`.
///
/// The argument is a type that implements [`OneTimeStoreFixture`](crate::testing::OneTimeStoreFixture).
#[macro_export]
macro_rules! one_time_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            one_time_store,
            $fixture,
            [
                what_is_kept_is_taken_once,
                one_of_many_takes_it,
                an_unknown_name_is_none,
                names_are_told_apart,
                bytes_come_back_as_they_were,
                what_nobody_takes_is_over_after_its_lifetime,
                each_has_its_own_lifetime,
            ]
        );
    };
}

/// Runs the suite [`broadcaster`](crate::testing::broadcaster): one `#[test]` for each case, in a module `broadcaster`.
///
/// The argument is a type that implements [`BroadcasterFixture`](crate::testing::BroadcasterFixture).
#[macro_export]
macro_rules! broadcaster_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            broadcaster,
            $fixture,
            [
                an_announcement_is_seen,
                what_was_before_is_not_told,
                positions_rise,
                the_epoch_is_compared_first,
                a_slow_watcher_gets_the_newest,
                other_boards_are_silent,
                gone_watchers_disturb_nobody,
                the_newest_is_never_missed,
                a_stream_ends_with_its_broadcaster,
            ]
        );
    };
}

/// Runs the suite [`verifier`](crate::testing::verifier): one `#[test]` for each case, in a module `verifier`.
///
/// The argument is a type that implements [`VerifierFixture`](crate::testing::VerifierFixture).
#[macro_export]
macro_rules! verifier_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(
            verifier,
            $fixture,
            [
                a_signed_action_is_verified,
                an_altered_field_is_refused,
                an_altered_signature_is_refused,
                fields_do_not_run_together,
                an_unknown_key_is_refused,
                a_stranger_is_refused,
                two_actions_have_two_fingerprints,
            ]
        );
    };
}

/// Emits a module of tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    ($suite:ident, $fixture:ty, [$($case:ident),* $(,)?]) => {
        mod $suite {
            #[allow(unused_imports, reason = "the fixture may be named by a path or by a name in scope")]
            use super::*;

            $(
                #[test]
                fn $case() {
                    $crate::testing::run(async |fixture: &$fixture| $crate::testing::$suite::$case(fixture).await);
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The cases that a suite's macro lists.
    fn listed(suite: &str) -> BTreeSet<&'static str> {
        let macros = include_str!("macros.rs");
        let start = macros.find(&format!("macro_rules! {suite}_conformance")).expect("the suite has a macro");
        let list = macros[start..].split('[').nth(1).and_then(|rest| rest.split(']').next()).expect("it has a list");
        list.split(',').map(str::trim).filter(|case| !case.is_empty()).collect()
    }

    /// The cases that a suite's sources hold.
    fn written(sources: &[&'static str]) -> BTreeSet<&'static str> {
        let after = |line: &'static str| line.strip_prefix("pub async fn ").and_then(|rest| rest.split('<').next());
        sources.iter().flat_map(|source| source.lines()).filter_map(after).collect()
    }

    macro_rules! every_case_is_listed {
        ($($suite:ident: [$($source:literal),*];)*) => {
            $(
                #[test]
                fn $suite() {
                    let written = written(&[$(include_str!($source)),*]);
                    assert_eq!(listed(stringify!($suite)), written, "a case that is not in its macro's list never runs");
                    assert!(!written.is_empty(), "a suite has cases");
                }
            )*

            /// A file of cases that is not named here would not be looked at.
            #[test]
            fn every_source_is_read() {
                let mut expected = BTreeSet::new();
                $(
                    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testing/", stringify!($suite));
                    for file in std::fs::read_dir(folder).into_iter().flatten() {
                        let name = file.expect("the folder can be read").file_name();
                        expected.insert(format!("{}/{}", stringify!($suite), name.to_string_lossy()));
                    }
                    expected.insert(concat!(stringify!($suite), ".rs").to_owned());
                )*
                let named: BTreeSet<_> = [$($($source),*),*].map(str::to_owned).into();
                assert_eq!(named, expected);
            }
        };
    }

    every_case_is_listed! {
        score_store: ["score_store.rs", "score_store/boards.rs", "score_store/applying.rs", "score_store/refusing.rs", "score_store/once.rs", "score_store/at_most.rs", "score_store/admitted.rs", "score_store/ties.rs", "score_store/ranks.rs", "score_store/pages.rs", "score_store/logs.rs", "score_store/digests.rs", "score_store/concurrency.rs", "score_store/cancellation.rs"];
        account_store: ["account_store.rs", "account_store/users.rs", "account_store/sessions.rs", "account_store/server_keys.rs", "account_store/revoked_keys.rs"];
        factor_store: ["factor_store.rs", "factor_store/challenges.rs", "factor_store/factors.rs"];
        incident_store: ["incident_store.rs", "incident_store/recording.rs", "incident_store/cases.rs", "incident_store/watching.rs"];
        moderation_store: ["moderation_store.rs", "moderation_store/deciding.rs", "moderation_store/holding.rs", "moderation_store/previewing.rs", "moderation_store/restricting.rs", "moderation_store/together.rs", "moderation_store/voiding.rs"];
        board_cache: ["board_cache.rs"];
        rate_limiter: ["rate_limiter.rs", "rate_limiter/sliding_log.rs", "rate_limiter/gcra.rs", "rate_limiter/cells.rs"];
        outstanding_actions: ["outstanding_actions.rs"];
        one_time_store: ["one_time_store.rs"];
        broadcaster: ["broadcaster.rs"];
        verifier: ["verifier.rs"];
    }
}
