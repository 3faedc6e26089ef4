//! What a server counts of itself.

use super::client::Client;

/// The sum of all numbers of `/metrics` whose lines begin so. A name without labels ends with a space.
pub(crate) async fn counted(client: &mut Client, name: &str) -> u64 {
    let metrics = client.get("/metrics").await.expect("they are answered").expect(200);
    let lines = metrics.as_str().expect("text").lines().filter(|line| line.starts_with(name));
    let number = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
    lines.map(|line| number(line).expect("a number") as u64).sum()
}
