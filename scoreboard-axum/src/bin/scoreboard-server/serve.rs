//! `serve`.
pub(crate) async fn run(_effective: &crate::settings::Effective) -> crate::failure::Result<()> { Ok(()) }
