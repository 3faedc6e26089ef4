//! Accounts that play on one device: found wherever they are, told of, and left alone.

use std::net::SocketAddr;

use axum::http::Request;
use scoreboard_core::accounts::Role;
use scoreboard_core::statistical::{Grounds, Rules, SharedDevice, SharedSource, Stance};
use scoreboard_core::{BoardId, FraudWatch, FraudWatchConfig, Incident, IncidentFilter};
use serde_json::{Value, json};

use crate::incidents::reviewer;
use crate::support::{Answer, Player, World};

const TABLET: &str = "6f1d9c3e-8a57-4b0e-9d43-52c7e1a0b8f6";
const UPDATE: &str = "/api/scoreboard/update";

/// A watch that looks for too many accounts on one device, and at one address.
async fn watch(world: &World) -> FraudWatch {
    let mut config = FraudWatchConfig::default();
    config.rules =
        Rules::none().with(SharedSource { accounts: 4 }, Stance::Flag).with(SharedDevice { accounts: 2 }, Stance::Flag);
    let watch = FraudWatch::new(world.scoreboard.clone(), config);
    watch.look().await.unwrap();
    watch
}

/// A tap that is handed in from an address, with a word about the device.
async fn tap(world: &World, player: &Player, address: u8, device: &Value) -> Answer {
    let action = world.action(player, "tap").await;
    let mut body = json!({ "action": action });
    if !device.is_null() {
        body["deviceId"] = device.clone();
    }
    let request = Request::post(UPDATE).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", player.token));
    world
        .send_from(SocketAddr::from(([192, 0, 2, address], 4711)), request.body(body.to_string().into()).unwrap())
        .await
}

async fn found(world: &World) -> Vec<Incident> {
    world.scoreboard.incidents().incidents(&IncidentFilter::default(), None, 100).await.unwrap()
}

#[tokio::test]
async fn who_plays_on_one_device_with_too_many_others_is_found_and_left_alone() {
    let world = World::new().await;
    let watch = watch(&world).await;
    let mona = reviewer(&world, "mona", Role::Moderator).await;
    let mut farm = Vec::new();
    for number in 1..=3 {
        let player = world.player(&format!("farm{number}")).await;
        assert_eq!(tap(&world, &player, number, &json!(TABLET)).await.status, 200);
        farm.push(player);
        watch.look().await.unwrap();
        assert_eq!(found(&world).await.len(), usize::from(number == 3), "two are a family, three are not");
    }
    let [incident] = &found(&world).await[..] else { panic!("one incident") };
    assert_eq!((incident.rule.as_str(), incident.user_id), ("shared_device", farm[2].id));
    let finding = incident.finding.as_ref().unwrap();
    let mut ids: Vec<_> = farm.iter().map(|player| player.id).collect();
    ids.sort();
    assert_eq!((finding.value, finding.threshold, &finding.users), (3, 2, &ids));
    let rows = world.scoreboard.store().history(&BoardId::main(), farm[2].id, None, 10).await.unwrap();
    assert_eq!(finding.recompute(&rows), Ok(Grounds::Sightings));

    // It is told, but not what the device is called; and nobody is held for it.
    let told = world.get_as(&format!("/api/admin/incidents/{}", incident.id), &mona).await;
    assert_eq!(told.body["incident"]["finding"]["users"], json!(ids));
    assert!(!told.text.contains(&TABLET[..8]), "{}", told.text);
    for player in &farm {
        assert_eq!(world.scoreboard.restriction(player.id).await.unwrap(), None);
        let standing = world.get_as("/api/scoreboard/me", player).await;
        assert_eq!(standing.body["standing"]["score"], 1, "{}", standing.text);
    }
}

#[tokio::test]
async fn devices_of_ones_own_at_one_address_are_no_device_in_common() {
    let world = World::new().await;
    let watch = watch(&world).await;
    for number in 1..=4_u8 {
        let player = world.player(&format!("pupil{number}")).await;
        let device = json!(format!("6f1d9c3e-8a57-4b0e-9d43-{number:012x}"));
        for device in [&device, &Value::Null] {
            assert_eq!(tap(&world, &player, 1, device).await.status, 200);
        }
    }
    watch.look().await.unwrap();
    assert_eq!(found(&world).await, []);
    // One more is too many for the address, on whatever device, or on none.
    let last = world.player("pupil5").await;
    assert_eq!(tap(&world, &last, 1, &Value::Null).await.status, 200);
    watch.look().await.unwrap();
    let rules: Vec<_> = found(&world).await.into_iter().map(|incident| incident.rule).collect();
    assert_eq!(rules, ["shared_source"]);
}

#[tokio::test]
async fn a_name_of_a_device_that_was_not_made_at_random_is_refused_and_not_repeated() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "tap").await;
    for bad in [
        json!("ada's tablet"),
        json!(""),
        json!("00000000-0000-0000-0000-000000000000"),
        json!("2ed6657d-e927-11eb-bd8a-0242ac130003"),
        json!([TABLET]),
        json!(7),
    ] {
        let body = json!({ "action": action, "deviceId": bad });
        let answer = world.post(UPDATE, Some(&ada), &body).await;
        answer.assert_invalid("/deviceId");
        let text = bad.as_str().filter(|text| !text.is_empty()).unwrap_or(&TABLET[..8]);
        assert!(!answer.text.contains(text), "{}", answer.text);
    }
    // What was refused did not count, and the same action does when it is handed in without; again it may be told on which device.
    let receipt = world.update(&ada, &action).await.body["receipt"].clone();
    assert_eq!((&receipt["score"], &receipt["replayed"]), (&json!(1), &json!(false)));
    let again = json!({ "action": action, "deviceId": TABLET });
    assert_eq!(world.post(UPDATE, Some(&ada), &again).await.body["receipt"]["replayed"], true);
}
