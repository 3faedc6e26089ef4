//! A server behind TLS is spoken to where its certificate is trusted, and not where it is not.
#![cfg(feature = "tls")]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use scoreboard_client::{Cause, Client, ClientConfig, ConnectError, State};
use scoreboard_core::BoardId;
use serde_json::json;
use support::{Peer, Server, hasty, moved, snapshot, state};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate of 127.0.0.1 that stands for itself, and its key.
fn certificate(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name| std::fs::read(folder.join(name)).expect("it was made");
    (read("cert.pem"), read("key.pem"))
}

fn acceptor(certificate: &[u8], key: &[u8]) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(key).expect("PEM");
    let config =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_certificate_is_trusted_or_the_server_is_not_spoken_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pem, key) = certificate(folder.path());
    let acceptor = acceptor(&pem, &key);
    let server = Server::start().await;
    let url = format!("https://{}", server.address());

    let config = ClientConfig { tls_roots: Some(pem), ..hasty() };
    let client = Client::builder(&url).with_config(config).connect().expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let mut peer = Peer::of(acceptor.accept(server.tcp().await).await.expect("TLS is spoken")).await;
    peer.says(json!({"type": "connected", "heartbeatSeconds": 25})).await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    drop((main, client, peer));

    // Of somebody else by the same name.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let config = ClientConfig { tls_roots: Some(certificate(elsewhere.path()).0), ..hasty() };
    let client = Client::builder(&url).with_config(config).connect().expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    assert!(acceptor.accept(server.tcp().await).await.is_err());
    let State::Offline(offline) = state(&mut main, |state| matches!(state, State::Offline(_))).await else { panic!() };
    assert!(
        matches!(&offline.cause, Cause::Unreachable(text) | Cause::Stranger(text) if text.contains("certificate")),
        "{offline:?}"
    );
}

#[tokio::test]
async fn certificates_that_are_none_are_told() {
    for pem in [&b""[..], b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let config = ClientConfig { tls_roots: Some(pem.to_vec()), ..hasty() };
        let refused = Client::builder("https://scores.example").with_config(config).connect();
        assert!(matches!(refused, Err(ConnectError::Tls(_))), "{refused:?}");
    }
}
