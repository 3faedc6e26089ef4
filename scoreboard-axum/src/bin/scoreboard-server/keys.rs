//! The key file: the server's secret keys, kept where their owner alone can read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::{Clock, IdSource, IdSourceExt, KeyId, KeyRing, RandomIds, Secret, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};

const FORMAT: &str = "scoreboard-keys";
const VERSION: u32 = 1;

/// For how long a key verifies after the next one began to sign: longer than any action lives, and than any token.
const OVERLAP: Duration = Duration::from_secs(25 * 3600);

/// The keys of a file, the newest first.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: KeyId,
    secret: Secret,
    created_at: Timestamp,
    /// Later than it was made, so that all servers know it by then.
    signs_from: Option<Timestamp>,
}

/// What the keys of a file are good for at a moment. Each key is in one of these.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// The first signs, all verify.
    pub(crate) verify: Vec<KeyId>,
    /// Only open what was sealed with them.
    pub(crate) open: Vec<KeyId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    keys: Vec<DocumentKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentKey {
    id: KeyId,
    /// 32 bytes, base64.
    secret: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signs_from: Option<Timestamp>,
}

impl Keys {
    /// One fresh key. Whose clock says when it was made is of no account: while it is the only one, it signs.
    pub(crate) fn fresh() -> Self {
        Self(vec![Key::fresh(SystemClock.now())])
    }

    /// The keys in the file at `path`, or fresh ones, written there, if there is none. True if they are fresh.
    pub(crate) fn load_or_create(path: &Path) -> Result<(Self, bool)> {
        if let Some(keys) = Self::load(path)? {
            return Ok((keys, false));
        }
        let keys = Self::fresh();
        match keys.write(path, Place::IfMissing) {
            Ok(()) => Ok((keys, true)),
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match Self::load(path)? {
                Some(keys) => Ok((keys, false)),
                None => Err(cannot("create", path, &error)),
            },
            Err(error) => Err(cannot("create", path, &error)),
        }
    }

    /// The keys in the file at `path`; `None` if there is no such file.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        check_rights(&file, path)?;
        let text = io::read_to_string(file).map_err(|error| cannot("read", path, &error))?;
        Self::parse(&text)
            .map(Some)
            .map_err(|what| Failure::new(format_args!("the key file {}: {what}", path.display())))
    }

    /// Never repeats what the file holds: it is secret, even where it is broken.
    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text)
            .map_err(|error| format!("is no key file (line {}, column {})", error.line(), error.column()))?;
        if document.format != FORMAT || document.version != VERSION {
            return Err("has a format that this version does not know".to_owned());
        }
        let mut keys = Vec::with_capacity(document.keys.len());
        for key in document.keys {
            let bytes = STANDARD.decode(&key.secret).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let secret = bytes.ok_or_else(|| format!("the key `{}` is not 32 bytes in base64", key.id))?;
            keys.push(Key {
                id: key.id,
                secret: Secret::from_bytes(secret),
                created_at: key.created_at,
                signs_from: key.signs_from,
            });
        }
        // A ring refuses what would be no set of keys.
        KeyRing::new(keys.iter().map(|key| (key.id.clone(), key.secret.clone())).collect())
            .map_err(|error| error.to_string())?;
        Ok(Self(keys))
    }

    /// Puts a fresh key in front, which signs this long after now, and keeps `keep` of those before it.
    pub(crate) fn rotate(&mut self, keep: usize, after: Duration, now: Timestamp) {
        let mut fresh = Key::fresh(now);
        fresh.signs_from = Some(now.plus(after));
        self.0.truncate(keep);
        self.0.insert(0, fresh);
    }

    /// Writes the file anew.
    pub(crate) fn replace(&self, path: &Path) -> Result<()> {
        self.write(path, Place::Over).map_err(|error| cannot("write", path, &error))
    }

    /// The ids, the newest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|key| &key.id)
    }

    /// What each is good for at this moment, given which were revoked.
    pub(crate) fn in_force(&self, revoked: &[KeyId], now: Timestamp) -> InForce {
        let is_good = |key: &&Key| !revoked.contains(&key.id);
        let (mut verify, mut open) = (Vec::new(), Vec::new());
        // The newest that signs by now, or, where none does yet, the oldest.
        let signs = self.0.iter().filter(is_good).find(|key| key.begins() <= now);
        verify.extend(signs.or_else(|| self.0.iter().rfind(is_good)).map(|key| key.id.clone()));
        let mut next: Option<Timestamp> = None;
        for key in &self.0 {
            let is_over = next.is_some_and(|began| began.plus(OVERLAP) <= now);
            if !is_good(&key) || is_over && !verify.contains(&key.id) {
                open.push(key.id.clone());
            } else if !verify.contains(&key.id) {
                verify.push(key.id.clone());
            }
            next = Some(key.begins());
        }
        InForce { verify, open }
    }

    /// Each with its secret.
    pub(crate) fn with_secrets(&self, ids: &[KeyId]) -> Vec<(KeyId, Secret)> {
        let key = |id: &KeyId| self.0.iter().find(|key| key.id == *id);
        ids.iter().filter_map(key).map(|key| (key.id.clone(), key.secret.clone())).collect()
    }

    /// Whole or not at all, whenever the machine stops: written aside, made durable, then moved into place.
    fn write(&self, path: &Path, how: Place) -> io::Result<()> {
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            keys: self.0.iter().map(DocumentKey::from).collect(),
        };
        let text = serde_json::to_string_pretty(&document)? + "\n";
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.new", std::process::id()));
        let aside = Path::new(&aside);
        let written = write_private(aside, text.as_bytes()).and_then(|()| match how {
            Place::IfMissing => fs::hard_link(aside, path).and_then(|()| fs::remove_file(aside)),
            Place::Over => fs::rename(aside, path),
        });
        if let Err(error) = written {
            // What is left aside holds secrets and serves nobody; the first error is the one to tell.
            let _ = fs::remove_file(aside);
            return Err(error);
        }
        sync_folder(path)
    }
}

/// What to do where the file is there already.
#[derive(Debug, Clone, Copy)]
enum Place {
    IfMissing,
    Over,
}

impl Key {
    /// `k`, the day, and as much by chance as keeps apart those of one day, gone ones too: what was signed by a key is looked for by its id.
    fn fresh(now: Timestamp) -> Self {
        let day: String = now.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
        let mut chance = [0; 4];
        RandomIds.fill(&mut chance);
        let id = KeyId::new(&format!("k{day}-{:08x}", u32::from_le_bytes(chance))).expect("letters, digits and a dash");
        Self { id, secret: Secret::from_bytes(RandomIds.secret()), created_at: now, signs_from: None }
    }

    fn begins(&self) -> Timestamp {
        self.signs_from.unwrap_or(self.created_at)
    }
}

impl From<&Key> for DocumentKey {
    fn from(key: &Key) -> Self {
        let Key { id, secret, created_at, signs_from } = key.clone();
        Self { id, secret: STANDARD.encode(secret.expose()), created_at, signs_from }
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format_args!("cannot {what} the key file {}: {error}", path.display()))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new name in a folder is durable once the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn check_rights(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| cannot("read", path, &error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::new(format_args!(
        "others can read the key file {shown} (mode {:03o}): run `chmod 600 {shown}`, and `scoreboard-server admin rotate-keys` if anyone may have",
        mode & 0o777
    )))
}

#[cfg(not(unix))]
fn check_rights(_file: &File, _path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn the_first_start_writes_a_file_for_its_owner_alone_and_the_second_reads_it() {
        let folder = folder();
        let path = folder.path().join("scoreboard.keys");
        let (first, fresh) = Keys::load_or_create(&path).unwrap();
        assert!(fresh);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let (second, fresh) = Keys::load_or_create(&path).unwrap();
        assert!(!fresh);
        assert_eq!(first.0[0].secret.expose(), second.0[0].secret.expose());
        assert_eq!(first.ids().collect::<Vec<_>>(), second.ids().collect::<Vec<_>>());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn rotation_signs_with_a_new_key_and_keeps_the_newest_of_the_old() {
        let mut keys = Keys::fresh();
        let first = keys.0[0].id.clone();
        let rotate = |keys: &mut Keys, keep| keys.rotate(keep, Duration::ZERO, SystemClock.now());
        rotate(&mut keys, 2);
        assert_eq!(keys.0.len(), 2);
        assert_eq!(keys.0[1].id, first);
        rotate(&mut keys, 2);
        rotate(&mut keys, 2);
        let ids: std::collections::HashSet<_> = keys.ids().collect();
        assert_eq!(ids.len(), 3, "no id twice");
        assert!(!ids.contains(&first));
        rotate(&mut keys, 0);
        assert_eq!(keys.0.len(), 1);
    }

    #[test]
    fn a_new_key_verifies_before_it_signs_and_an_old_one_until_what_it_signed_is_over() {
        let at = |hours: u64| Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(hours * 3600));
        let key = |id: &str, made: u64, signs: Option<u64>| Key {
            id: KeyId::new(id).unwrap(),
            secret: Secret::from_bytes([1; 32]),
            created_at: at(made),
            signs_from: signs.map(at),
        };
        let keys = Keys(vec![key("c", 200, Some(201)), key("b", 100, None), key("a", 0, None)]);
        let seen = |now: u64, revoked: &[&str]| {
            let revoked: Vec<_> = revoked.iter().map(|id| KeyId::new(id).unwrap()).collect();
            let InForce { verify, open } = keys.in_force(&revoked, at(now));
            let words = |ids: Vec<KeyId>| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
            format!("{} | {}", words(verify), words(open))
        };
        assert_eq!(seen(200, &[]), "b c | a");
        assert_eq!(seen(201, &[]), "c b | a");
        assert_eq!(seen(225, &[]), "c b | a");
        assert_eq!(seen(226, &[]), "c | b a");
        assert_eq!(seen(124, &[]), "b c a | ", "the next signs since 24 hours");
        assert_eq!(seen(201, &["c"]), "b | c a", "the one before signs again");
        assert_eq!(seen(200, &["b"]), "a c | b", "where the next does not sign yet, an older one does");
        assert_eq!(seen(200, &["a", "b"]), "c | b a");
        assert_eq!(seen(200, &["a", "b", "c"]), " | c b a");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let path = folder.path().join("scoreboard.keys");
        let _ = Keys::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = Keys::load(&path).unwrap_err().to_string();
            assert!(refusal.contains("chmod 600"), "{refusal}");
        }
    }

    #[test]
    fn a_broken_file_is_refused_without_a_word_of_what_it_holds() {
        let secret = STANDARD.encode([7; 31]);
        let short = format!(
            r#"{{"format":"scoreboard-keys","version":1,"keys":[{{"id":"k1","secret":"{secret}","createdAt":"2026-01-01T00:00:00.000Z"}}]}}"#
        );
        let newer = r#"{"format":"scoreboard-keys","version":2,"keys":[]}"#;
        let none = r#"{"format":"scoreboard-keys","version":1,"keys":[]}"#;
        for text in ["", "SECRET", &short, newer, none, r#"{"format":"SECRET"}"#] {
            let refusal = Keys::parse(text).unwrap_err();
            assert!(!refusal.contains(&secret) && !refusal.contains("SECRET"), "{refusal}");
        }
    }
}
