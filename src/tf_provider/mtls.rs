//! go-plugin's AutoMTLS: both sides make a certificate for this one connection and pin the other's.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// Why there can be no mTLS with this client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("PLUGIN_CLIENT_CERT is not a PEM certificate")]
    ClientCertificate(#[source] rustls::pki_types::pem::Error),
    #[error("cannot make a server certificate")]
    ServerCertificate(#[from] rcgen::Error),
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// This side of the connection.
pub struct Identity {
    /// Takes connections of the one client only.
    pub config: Arc<ServerConfig>,
    /// The server's certificate as DER, which the client is to pin.
    pub certificate: CertificateDer<'static>,
}

impl Identity {
    /// A fresh certificate, to speak with the client of this PEM certificate and with nobody else.
    pub fn for_client(pem: &str) -> Result<Self, Error> {
        let client = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(Error::ClientCertificate)?;
        // P-256, the fastest to make. Terraform's own P-521 is why the crypto is aws-lc: ring has none.
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()])?;
        parameters.distinguished_name.push(DnType::CommonName, "localhost");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.self_signed(&key)?.der().clone();

        let crypto = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Pinned { client, crypto: crypto.clone() });
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // One client, one connection: nothing to resume, and each connection shows its certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Identity { config: Arc::new(config), certificate })
    }
}

/// Takes one certificate, byte by byte. That it is a CA, as Terraform's is, does not matter then:
/// no chain is built. The signatures of the handshake prove that the client has its key.
#[derive(Debug)]
struct Pinned {
    client: CertificateDer<'static>,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity == self.client {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
