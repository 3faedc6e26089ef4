//! An authenticator app that is not ours: Python computes its codes (RFC 6238), so nothing of ours is on both sides.

use std::time::Duration;

use tokio::process::Command;

use super::wait::until;

const APP: &str = "
import base64, hashlib, hmac, struct, sys, time
key, step = base64.b32decode(sys.argv[1].replace(' ', '')), int(time.time()) // 30
mac = hmac.new(key, struct.pack('>Q', step), hashlib.sha1).digest()
at = mac[-1] & 15
print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6))
";

/// What the app shows now, of this secret in base32.
pub(crate) async fn app(secret: &str) -> String {
    let shown = Command::new("python3").args(["-c", APP, secret]).output().await.expect("Python runs");
    String::from_utf8(shown.stdout).expect("digits").trim().to_owned()
}

/// A code that was not used before: the app shows each for half a minute.
pub(crate) async fn fresh(secret: &str, used: &str) -> String {
    until("the app shows another code", Duration::from_secs(40), async || {
        let code = app(secret).await;
        (code != used).then_some(code)
    })
    .await
}
