//! libpq's `sslmode` and `sslrootcert` as a rustls configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::ConnectError;
use super::{ClientCertificate, SslMode, SslRootCert, Tls, TlsVersion};

/// What a client of PostgreSQL says it wants to speak, where TLS begins at once.
const ALPN: &[u8] = b"postgresql";

/// The TLS configuration that is asked for; `None` for clear text.
pub(super) fn client_config(tls: &Tls) -> Result<Option<ClientConfig>, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[_] = match tls.oldest {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| ConnectError::RootCertificates { message: error.to_string() })?;
    let builder = match tls.mode {
        SslMode::Disable => return Ok(None),
        SslMode::Require => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        SslMode::VerifyFull => builder.with_root_certificates(root_store(&tls.roots)?),
        SslMode::VerifyCa => {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(root_store(&tls.roots)?), provider)
                .build()
                .map_err(|error| ConnectError::RootCertificates { message: error.to_string() })?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        }
    };
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let unusable = |message: String| ConnectError::Certificate { message };
            let (chain, key) = certificate.read().map_err(unusable)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(error.to_string()))?
        }
    };
    if tls.direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(Some(config))
}

impl ClientCertificate {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificates.as_bytes()).collect();
        let chain = chain.map_err(|error| format!("`sslcert` is malformed: {error}"))?;
        if chain.is_empty() {
            return Err("there is no certificate in PEM form in `sslcert`".to_owned());
        }
        let text = self.key.expose();
        if text.contains("ENCRYPTED") {
            return Err(
                "the key of `sslkey` is encrypted, and the provider cannot ask for its passphrase: decrypt it (`openssl \
                        pkey -in <file> -out <new file>`), or take another"
                    .to_owned(),
            );
        }
        // What is wrong with it is not told: the text is a secret.
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
        Ok((chain, key.map_err(|_| "there is no private key in PEM form in `sslkey`".to_owned())?))
    }
}

fn root_store(roots: &SslRootCert) -> Result<RootCertStore, ConnectError> {
    let unusable = |message: String| ConnectError::RootCertificates { message };
    let mut store = RootCertStore::empty();
    match roots {
        SslRootCert::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(unusable("the operating system's certificate store is empty or could not be read".into()));
            }
        }
        SslRootCert::Pem(text) => {
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
            let certificates =
                certificates.map_err(|error| unusable(format!("a certificate is malformed: {error}")))?;
            if certificates.is_empty() {
                return Err(unusable("there is no certificate in PEM form in it".into()));
            }
            for certificate in anchors(certificates) {
                store.add(certificate).map_err(|error| unusable(format!("a certificate is unusable: {error}")))?;
            }
            if store.is_empty() {
                let why = "it has no root authority that is valid now; an intermediate alone is not enough";
                return Err(unusable(why.into()));
            }
        }
    }
    Ok(store)
}

/// Those of the certificates that are valid now and lead to one that issued itself, all among them: an intermediate is trusted for
/// whoever stands behind it, in OpenSSL as here.
fn anchors(mut certificates: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    certificates.retain(is_current);
    let names = |certificate: &CertificateDer<'_>| {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        Some((parsed.subject().to_vec(), parsed.issuer().to_vec()))
    };
    let named: Vec<_> = certificates.iter().map(names).collect();
    let mut rooted: BTreeSet<&[u8]> = BTreeSet::new();
    loop {
        let known = rooted.len();
        for (subject, issuer) in named.iter().flatten() {
            if issuer == subject || rooted.contains(issuer.as_slice()) {
                rooted.insert(subject);
            }
        }
        if rooted.len() == known {
            break;
        }
    }
    // What is older than version 3 cannot be read here, and has no intermediates.
    let is_rooted = |name: &Option<(Vec<u8>, Vec<u8>)>| {
        name.as_ref().is_none_or(|(subject, _)| rooted.contains(subject.as_slice()))
    };
    let kept: Vec<bool> = named.iter().map(is_rooted).collect();
    certificates.into_iter().zip(kept).filter_map(|(certificate, kept)| kept.then_some(certificate)).collect()
}

/// Whether now is within a certificate's validity, which is the first thing that is looked at when one is verified.
fn is_current(certificate: &CertificateDer<'static>) -> bool {
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else { return true };
    let usage = webpki::KeyUsage::server_auth();
    let verified = parsed.verify_for_usage(&[], &[], &[], UnixTime::now(), usage, None, None);
    !matches!(verified, Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }))
}

/// `sslmode=require`: encryption without knowing with whom, as libpq has it. The signatures are still
/// checked, so that the one who answers holds the key it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// `sslmode=verify-ca`: the default verifier, forgiving a certificate for another name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is what webpki checks last: whoever gets there has a chain that holds.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
