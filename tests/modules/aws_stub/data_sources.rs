//! The data sources of the schema file, and the one ephemeral resource that modules need and the file
//! does not have.

use std::sync::LazyLock;

use pgtenant::tf_provider::{
    Attribute, Block, Context, DataSource, Diagnostic, Diagnostics, EphemeralResource, Schema, State, Type, Value,
    async_trait,
};

use crate::answers::{self, ACCOUNT, arn, partition};
use crate::values::known;
use crate::{Configured, policy_document, schema};

pub struct Stubbed {
    type_name: &'static str,
    configured: Configured,
}

impl Stubbed {
    pub fn new(type_name: &'static str, configured: Configured) -> Self {
        Stubbed { type_name, configured }
    }
}

#[async_trait]
impl DataSource for Stubbed {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn schema(&self) -> Schema {
        schema::data_source(self.type_name)
    }

    async fn read(&self, _: &Context, config: Value) -> Result<State, Diagnostics> {
        let provider = self.configured.settings().region;
        let region = answers::region(&config, &provider).as_str().unwrap_or(&provider).to_owned();
        let key = known::<String>(&config, "key_id").unwrap_or_default();
        let mut value = config;
        let mut answer = |name: &str, answer: Value| value.set(name, answer);
        match self.type_name {
            "aws_iam_policy_document" => return policy_document::read(value).map(State::from),
            "aws_availability_zones" => {
                answer("id", region.as_str().into());
                answer("names", ["a", "b", "c"].map(|zone| format!("{region}{zone}")).to_vec().into());
                answer("zone_ids", ["1", "2", "3"].map(|zone| format!("{}-az{zone}", short(&region))).to_vec().into());
                answer("group_names", vec![region.as_str()].into());
            }
            "aws_caller_identity" => {
                answer("id", ACCOUNT.into());
                answer("account_id", ACCOUNT.into());
                answer("user_id", "AROAEXAMPLEEXAMPLE123:run".into());
                answer("arn", arn(&region, "sts", false, "assumed-role/terraform/run").into());
            }
            "aws_kms_key" => {
                let id = if key.starts_with("alias/") { "00000000-0000-4000-8000-000000000000" } else { &key };
                let resource = format!("key/{id}");
                let key = if id.starts_with("arn:") { id.to_owned() } else { arn(&region, "kms", true, &resource) };
                for (name, text) in [
                    ("id", id),
                    ("arn", key.as_str()),
                    ("aws_account_id", ACCOUNT),
                    ("key_manager", "CUSTOMER"),
                    ("key_spec", "SYMMETRIC_DEFAULT"),
                    ("key_state", "Enabled"),
                    ("key_usage", "ENCRYPT_DECRYPT"),
                    ("origin", "AWS_KMS"),
                ] {
                    answer(name, text.into());
                }
                answer("enabled", true.into());
                answer("multi_region", false.into());
            }
            "aws_partition" => {
                let partition = partition(&region);
                let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
                answer("id", partition.into());
                answer("partition", partition.into());
                answer("dns_suffix", suffix.into());
                let reversed: Vec<&str> = suffix.rsplit('.').collect();
                answer("reverse_dns_prefix", reversed.join(".").into());
            }
            "aws_region" => {
                for name in ["id", "name", "region"] {
                    answer(name, region.as_str().into());
                }
                answer("endpoint", format!("ec2.{region}.amazonaws.com").into());
                answer("description", format!("The region {region}").into());
            }
            other => {
                return Err(Diagnostic::error("Not made up yet", format!("The stand-in answers no {other}.")).into());
            }
        }
        if self.schema().block.attribute("region").is_some() {
            value.set("region", region);
        }
        Ok(value.into())
    }
}

/// `euw1` for `eu-west-1`, as the ids of zones begin.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    area.chars().chain(parts.filter_map(|part| part.chars().next())).collect()
}

/// A secret as the instance's managed master secret has it. From the documentation of the real provider,
/// for the schema file holds no ephemeral resources.
pub struct SecretVersion;

/// What the secrets say: the password of the server that stands for the instance.
static PASSWORD: LazyLock<String> =
    LazyLock::new(|| std::env::var("AWS_STUB_DB_PASSWORD").unwrap_or_else(|_| "made-up".to_owned()));

#[async_trait]
impl EphemeralResource for SecretVersion {
    fn type_name(&self) -> &'static str {
        "aws_secretsmanager_secret_version"
    }

    fn schema(&self) -> Schema {
        let text = Type::String;
        let attributes = vec![
            Attribute::required("secret_id", text.clone(), ""),
            Attribute::optional_computed("version_id", text.clone(), ""),
            Attribute::optional_computed("version_stage", text.clone(), ""),
            Attribute::optional_computed("region", text.clone(), ""),
            Attribute::computed("arn", text.clone(), ""),
            Attribute::computed("created_date", text.clone(), ""),
            Attribute::computed("secret_binary", text.clone(), "").sensitive(),
            Attribute::computed("secret_string", text.clone(), "").sensitive(),
            Attribute::computed("version_stages", Type::list(text), ""),
        ];
        Schema { version: 0, block: Block { attributes, ..Block::default() } }
    }

    async fn open(&self, _: &Context, config: Value) -> Result<State, Diagnostics> {
        let mut value = config;
        let secret = serde_json::json!({ "username": "platform_admin", "password": *PASSWORD });
        value.set("arn", value.get("secret_id").clone());
        value.set("secret_string", secret.to_string());
        value.set("version_stages", vec!["AWSCURRENT"]);
        Ok(value.into())
    }
}
