use super::*;

fn user(number: usize) -> UserId {
    UserId::from_bytes((number as u128).to_be_bytes())
}

fn users(numbers: impl IntoIterator<Item = usize>) -> Vec<UserId> {
    numbers.into_iter().map(user).collect()
}

fn device(number: usize) -> DeviceId {
    format!("6f1d9c3e-8a57-4b0e-9d43-{number:012x}").parse().expect("a random UUID, or so it looks")
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
}

/// How many sightings are kept, which is what there are.
fn counted<const MAX: usize>(seen: &Mutex<Seen<MAX>>) -> usize {
    let seen = seen.lock();
    assert_eq!(seen.count, seen.sources.values().map(Vec::len).sum::<usize>());
    assert_eq!(seen.count, seen.users.values().map(VecDeque::len).sum::<usize>());
    assert!(seen.users.values().all(|sources| sources.len() <= MAX) && seen.users.len() <= MAX_SIGHTINGS);
    assert!(seen.sources.values().all(|there| !there.is_empty() && there.len() <= MAX_USERS));
    seen.count
}

/// Who is found at the user's address, and on their device.
fn found(sightings: &Sightings, number: usize, now: Timestamp) -> [Vec<UserId>; 2] {
    let neighbours = sightings.neighbours(user(number), now);
    [neighbours.at_address().to_vec(), neighbours.on_device().to_vec()]
}

#[test]
fn who_played_from_one_address_within_a_day_are_neighbours() {
    let sightings = Sightings::default();
    let at_address = |number, now| sightings.at_address(user(number), now);
    sightings.saw(user(2), "192.0.2.1", None, at(0));
    sightings.saw(user(1), "192.0.2.1", None, at(50_000));
    sightings.saw(user(3), "192.0.2.2", None, at(50_000));
    assert_eq!(at_address(1, at(50_001)), users([1, 2]));
    assert_eq!(at_address(3, at(50_001)), users([3]));
    assert_eq!(found(&sightings, 9, at(50_001)), [users([]), users([])], "was never seen");
    assert_eq!(at_address(1, at(86_400)), users([1]), "the other was there a day ago");
    assert_eq!(at_address(2, at(86_400)), users([]), "and is known to be nowhere");
    sightings.saw(user(3), "192.0.2.1", None, at(90_000));
    assert_eq!(at_address(3, at(90_000)), users([1, 3]), "who moves is where they are");
    assert_eq!(counted(&sightings.devices), 0, "nobody told of one");
}

#[test]
fn who_played_on_one_device_are_neighbours_wherever_it_was() {
    let sightings = Sightings::default();
    for number in 0..5 {
        sightings.saw(user(number), &format!("192.0.2.{number}"), Some(&device(1)), at(number as u64));
    }
    sightings.saw(user(7), "192.0.2.4", Some(&device(2)), at(6));
    let found = found(&sightings, 4, at(7));
    assert_eq!(found, [users([4, 7]), users(0..5)]);
    assert_eq!(
        sightings.neighbours(user(7), at(7)).on_device(),
        users([7]),
        "an address in common is no device in common"
    );
    assert_eq!(sightings.neighbours(user(4), at(86_402)).on_device(), users([3, 4]), "the others were there a day ago");
    // Who goes on where nothing is told of the device was last seen on the other.
    sightings.saw(user(4), "192.0.2.9", None, at(8));
    assert_eq!(sightings.neighbours(user(4), at(9)).on_device(), users(0..5));
    sightings.saw(user(4), "192.0.2.9", Some(&device(3)), at(10));
    assert_eq!(sightings.neighbours(user(4), at(10)).on_device(), users([4]));
    assert_eq!(sightings.neighbours(user(3), at(10)).on_device(), users(0..5), "and for the others was there");
}

#[test]
fn what_is_kept_is_bounded() {
    let sightings = Sightings::default();
    for number in 0..MAX_USERS + 10 {
        sightings.saw(user(number), "192.0.2.1", Some(&device(0)), at(0));
    }
    let crowded = found(&sightings, 0, at(1));
    assert_eq!(crowded.map(|users| users.len()), [MAX_USERS; 2]);
    for number in 0..MAX_SIGHTINGS + 10 {
        sightings.saw(user(number), &number.to_string(), Some(&device(number)), at(1));
    }
    assert_eq!((counted(&sightings.addresses), counted(&sightings.devices)), (MAX_SIGHTINGS, MAX_SIGHTINGS));
    sightings.saw(user(1_000_000), "192.0.2.9", Some(&device(0)), at(2));
    assert_eq!(found(&sightings, 1_000_000, at(2)), [users([]), users([])], "there is no room");
    sightings.saw(user(1_000_000), "192.0.2.9", Some(&device(0)), at(86_402));
    let alone = [users([1_000_000]), users([1_000_000])];
    assert_eq!(found(&sightings, 1_000_000, at(86_402)), alone, "the others were forgotten");
    assert_eq!((counted(&sightings.addresses), counted(&sightings.devices)), (1, 1));
}

#[test]
fn who_has_many_addresses_and_makes_up_devices_takes_no_room_from_others() {
    let sightings = Sightings::default();
    for number in 0..MAX_SIGHTINGS + 10 {
        sightings.saw(user(number % 14), &number.to_string(), Some(&device(number)), at(0));
    }
    let counts = (counted(&sightings.addresses), counted(&sightings.devices));
    assert_eq!(counts, (14 * MAX_ADDRESSES, 14 * MAX_DEVICES));
    for honest in [100, 101] {
        sightings.saw(user(honest), "192.0.2.1", Some(&device(0)), at(1));
    }
    let both = [users([100, 101]), users([100, 101])];
    assert_eq!(found(&sightings, 100, at(2)), both);
    let newest = (MAX_SIGHTINGS + 9) % 14;
    let alone = [users([newest]), users([newest])];
    assert_eq!(found(&sightings, newest, at(2)), alone, "where they were last");
    // Who goes back and forth is at two places.
    for number in 0..100 {
        sightings.saw(user(200), ["home", "school"][number % 2], Some(&device(number % 2)), at(3));
    }
    assert_eq!(sightings.addresses.lock().users[&user(200)].len(), 2);
    assert_eq!(sightings.devices.lock().users[&user(200)].len(), 2);
    counted(&sightings.addresses);
    counted(&sightings.devices);
}

#[test]
fn who_fills_the_room_for_devices_leaves_addresses_theirs() {
    let sightings = Sightings::default();
    for number in 0..MAX_SIGHTINGS {
        sightings.saw(user(number % (MAX_SIGHTINGS / 4)), "192.0.2.1", Some(&device(number)), at(0));
    }
    assert_eq!(counted(&sightings.devices), MAX_SIGHTINGS);
    for honest in [1_000_000, 1_000_001] {
        sightings.saw(user(honest), "192.0.2.2", Some(&device(0)), at(1));
    }
    let found = found(&sightings, 1_000_000, at(2));
    assert_eq!(found, [users([1_000_000, 1_000_001]), Vec::new()]);
}
