//! Tokens of IAM, which RDS and Aurora take in the place of a password: made here for each login, each good for a quarter of an hour.
//!
//! Where the credentials come from is the AWS SDK's to find, as every tool of AWS does. Without the feature `aws` there are none.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>

use super::connect::Host;
use super::error::ConnectError;
use super::{RoleName, Secret};

/// Whose credentials a token is signed with, and for which region. What is left out is found as AWS's tools find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamAuth {
    /// The server's. Without it the one in its name, if it has RDS's.
    pub region: Option<String>,
    /// Of AWS's configuration files.
    pub profile: Option<String>,
    /// A role of IAM that is assumed first.
    pub role_arn: Option<String>,
}

fn unusable(message: impl ToString) -> ConnectError {
    ConnectError::NoToken { message: message.to_string() }
}

pub(super) use signed::Tokens;

#[cfg(feature = "aws")]
mod signed {
    use std::error::Error;
    use std::time::{Duration, SystemTime};

    use aws_config::sts::AssumeRoleProvider;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    use tokio::sync::{Mutex, OnceCell};
    use zeroize::Zeroizing;

    use super::{ConnectError, Host, IamAuth, RoleName, Secret, unusable};

    /// What RDS looks at is a token's age, and no token is used twice here.
    const EXPIRES_IN: Duration = Duration::from_secs(15 * 60);

    /// Credentials that end sooner are asked for anew.
    const MARGIN: Duration = Duration::from_secs(60);

    const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    impl IamAuth {
        fn region_of(&self, host: &Host) -> Option<String> {
            self.region.clone().or_else(|| region_in(&host.name).map(str::to_owned))
        }
    }

    /// The region in a name that RDS gave: `<...>.<region>.rds.amazonaws.com`, in China with `.cn`.
    fn region_in(name: &str) -> Option<&str> {
        let name = name.trim_end_matches('.');
        let rest = name.strip_suffix(".cn").unwrap_or(name).strip_suffix(".rds.amazonaws.com")?;
        rest.rsplit('.').next().filter(|region| !region.is_empty())
    }

    /// Makes tokens. Credentials are read when the first is made, and again before they end.
    pub struct Tokens {
        auth: IamAuth,
        /// That of the hosts, in which a role is assumed as well.
        region: Option<String>,
        found: OnceCell<(SdkConfig, SharedCredentialsProvider)>,
        credentials: Mutex<Option<Credentials>>,
    }

    impl Tokens {
        /// For logins at these hosts.
        pub fn new(auth: &IamAuth, hosts: &[Host]) -> Result<Self, ConnectError> {
            let region = hosts.iter().find_map(|host| auth.region_of(host));
            Ok(Tokens { auth: auth.clone(), region, found: OnceCell::new(), credentials: Mutex::new(None) })
        }

        /// Finds the credentials, which can take longer than a server is waited for.
        pub async fn prepare(&self) -> Result<(), ConnectError> {
            let (_, provider) = self.found.get_or_try_init(|| self.find()).await?;
            self.credentials(provider).await.map(drop)
        }

        /// A token for a login of that role, there.
        pub async fn token(&self, host: &Host, role: &RoleName) -> Result<Secret, ConnectError> {
            let (config, provider) = self.found.get_or_try_init(|| self.find()).await?;
            let region = self.auth.region_of(host).or_else(|| config.region().map(ToString::to_string));
            let region = region.ok_or_else(|| {
                unusable(
                    "no region is set: neither `region`, nor AWS_REGION, nor in the profile, nor in the server's name",
                )
            })?;
            let credentials = self.credentials(provider).await?;
            let url = format!(
                "https://{}:{}/?Action=connect&DBUser={}",
                host.name,
                host.port,
                utf8_percent_encode(role.as_str(), &UNRESERVED)
            );
            let signed =
                presign(&url, "rds-db", &region, EXPIRES_IN, &credentials, SystemTime::now()).map_err(unusable)?;
            Ok(Secret::new(signed.trim_start_matches("https://")))
        }

        async fn find(&self) -> Result<(SdkConfig, SharedCredentialsProvider), ConnectError> {
            let mut loader = aws_config::defaults(BehaviorVersion::latest());
            if let Some(profile) = &self.auth.profile {
                loader = loader.profile_name(profile);
            }
            if let Some(region) = &self.region {
                loader = loader.region(Region::new(region.clone()));
            }
            let config = loader.load().await;
            let provider = match &self.auth.role_arn {
                Some(role) => {
                    let assumed = AssumeRoleProvider::builder(role).session_name("terraform-provider-pgtenant");
                    SharedCredentialsProvider::new(assumed.configure(&config).build().await)
                }
                None => {
                    config.credentials_provider().ok_or_else(|| unusable("AWS's tools have no credentials here"))?
                }
            };
            Ok((config, provider))
        }

        async fn credentials(&self, provider: &SharedCredentialsProvider) -> Result<Credentials, ConnectError> {
            let mut known = self.credentials.lock().await;
            let lasts = |known: &Credentials| known.expiry().is_none_or(|end| end > SystemTime::now() + MARGIN);
            if let Some(known) = known.as_ref().filter(|known| lasts(known)) {
                return Ok(known.clone());
            }
            let found = provider.provide_credentials().await.map_err(|error| unusable(causes(&error)))?;
            *known = Some(found.clone());
            Ok(found)
        }
    }

    /// An error of the SDK says little; what caused it says more.
    fn causes(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }

    /// The URL of a GET with the signature among its parameters (AWS Signature Version 4).
    fn presign(
        url: &str,
        service: &str,
        region: &str,
        expires_in: Duration,
        credentials: &Credentials,
        at: SystemTime,
    ) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
        let mut settings = SigningSettings::default();
        settings.expires_in = Some(expires_in);
        settings.signature_location = SignatureLocation::QueryParams;
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(at)
            .settings(settings)
            .build()?;
        // S3 alone signs no body.
        let body = if service == "s3" { SignableBody::UnsignedPayload } else { SignableBody::Bytes(&[]) };
        let request = SignableRequest::new("GET", url, std::iter::empty(), body)?;
        let (instructions, _) = sign(request, &parameters.into())?.into_parts();
        let mut signed = Zeroizing::new(url.to_owned());
        for (name, value) in instructions.params() {
            let separator = if signed.contains('?') { '&' } else { '?' };
            signed.push(separator);
            signed.push_str(&format!("{name}={}", utf8_percent_encode(value, &UNRESERVED)));
        }
        Ok(signed)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

        fn signed(url: &str, session: Option<&str>) -> Zeroizing<String> {
            let credentials = Credentials::new("AKIDEXAMPLE", SECRET, session.map(str::to_owned), None, "test");
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_860_800);
            presign(url, "rds-db", "eu-central-1", EXPIRES_IN, &credentials, at).unwrap()
        }

        #[test]
        fn a_server_that_rds_named_says_its_region() {
            for (name, region) in [
                ("tenants.abc.eu-central-1.rds.amazonaws.com", Some("eu-central-1")),
                ("c.cluster-ro-abc.us-gov-west-1.rds.amazonaws.com.", Some("us-gov-west-1")),
                ("tenants.abc.cn-north-1.rds.amazonaws.com.cn", Some("cn-north-1")),
                ("db.example.com", None),
                ("rds.amazonaws.com", None),
            ] {
                assert_eq!(region_in(name), region, "{name}");
            }
            let given = IamAuth { region: Some("eu-west-1".to_owned()), ..IamAuth::default() };
            let host = crate::postgres::connect::fixture::host("tenants.abc.eu-central-1.rds.amazonaws.com");
            assert_eq!(given.region_of(&host).as_deref(), Some("eu-west-1"));
            assert_eq!(IamAuth::default().region_of(&host).as_deref(), Some("eu-central-1"));
        }

        /// The example in AWS's documentation of signatures in a query.
        /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
        #[test]
        fn a_url_is_signed_as_in_awss_documentation() {
            let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET.replace('+', "/"), None, None, "test");
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
            let url = "https://examplebucket.s3.amazonaws.com/test.txt";
            let signed = presign(url, "s3", "us-east-1", Duration::from_secs(86_400), &credentials, at).unwrap();
            let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
            assert!(signed.ends_with(&format!("&X-Amz-Signature={signature}")), "{signed:?}");
        }

        /// What botocore 1.44.8 makes of the same.
        #[test]
        fn tokens_are_those_of_awss_own_tools() {
            let server = "https://tenants.abc.eu-central-1.rds.amazonaws.com:5432/?Action=connect&DBUser=";
            let signature = |signed: &str| signed.split("X-Amz-Signature=").nth(1).unwrap()[..64].to_owned();
            let plain = signed(&format!("{server}platform_admin"), None);
            assert_eq!(signature(&plain), "b4b58a78cb367542593aedacb39e267a8d0accbc5977e0b6c365c82dca40a7b2");
            let role = utf8_percent_encode("plat form+admin@\u{e9}", &UNRESERVED);
            let odd = signed(&format!("{server}{role}"), Some("session/token+=="));
            assert_eq!(signature(&odd), "df06b79d088ee8592dfe345a97429a0d9dbb493204e1c2e79c6cd3d482c537d2");
            let expected = format!(
                "{server}platform_admin&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
                 AKIDEXAMPLE%2F20260131%2Feu-central-1%2Frds-db%2Faws4_request&X-Amz-Date=20260131T120000Z&X-Amz-Expires=900\
                 &X-Amz-SignedHeaders=host&X-Amz-Signature={}",
                signature(&plain)
            );
            assert_eq!(*plain, expected);
        }
    }
}

#[cfg(not(feature = "aws"))]
mod signed {
    use super::{ConnectError, Host, IamAuth, RoleName, Secret, unusable};

    /// There are none without the SDK.
    pub enum Tokens {}

    impl Tokens {
        pub fn new(_: &IamAuth, _: &[Host]) -> Result<Self, ConnectError> {
            Err(unusable("this build of the provider has no support for IAM: it was made without the feature `aws`"))
        }

        pub async fn prepare(&self) -> Result<(), ConnectError> {
            match *self {}
        }

        pub async fn token(&self, _: &Host, _: &RoleName) -> Result<Secret, ConnectError> {
            match *self {}
        }
    }
}
