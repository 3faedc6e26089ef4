//! Whom to trust, and how TLS is spoken.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConnectError;

/// These certificates (PEM), or else the machine's own.
pub(crate) fn roots(pem: Option<&[u8]>) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    match pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| tls(&error))?;
                roots.add(certificate).map_err(|error| tls(&error))?;
            }
        }
        // Of the many, some may be of a kind that is not understood: the others count.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(ConnectError::Tls("there are no certificates to trust".to_owned()));
    }
    Ok(roots)
}

/// What a client says of itself; its cryptography is named, for a program may have several.
pub(crate) fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| tls(&error))?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

fn tls(error: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Tls(error.to_string())
}
