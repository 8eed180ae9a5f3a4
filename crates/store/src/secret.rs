//! Secret values at rest, sealed under the tenant's data key.

use konstruct_domain::snapshot::{SecretField, SecretPurpose, SecretVersion};
use konstruct_domain::{Kind, TenantId};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use crate::keyring::{Key, KeyError};
use crate::{Error, Result, Store};

/// Where a ciphertext belongs.
fn place(tenant: TenantId, kind: Kind, name: &str, field: SecretField, version: &str) -> String {
    format!("{tenant}/{kind}/{name}/{}/{version}", field.as_str())
}

fn data_key_place(tenant: TenantId, purpose: SecretPurpose) -> String {
    format!("{tenant}/data-key/{}", purpose.as_str())
}

impl Store {
    /// Leaves exactly these secrets stored for a resource.
    pub(crate) async fn replace_secrets(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        secrets: &[(SecretField, SecretString)],
    ) -> Result<()> {
        let delete = match kind {
            Kind::ChannelConnection => Some(sqlx::query!(
                "delete from konstruct.channel_secret where kind = $1 and name = $2",
                kind.as_str(),
                name
            )),
            Kind::LLMProvider => Some(sqlx::query!(
                "delete from konstruct.provider_secret where kind = $1 and name = $2",
                kind.as_str(),
                name
            )),
            Kind::Tenant | Kind::Agent => None,
        };
        if let Some(delete) = delete {
            delete.execute(&mut *connection).await?;
        }
        for (field, secret) in secrets {
            self.insert_secret(connection, tenant, kind, name, *field, secret).await?;
        }
        Ok(())
    }

    async fn insert_secret(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        field: SecretField,
        secret: &SecretString,
    ) -> Result<()> {
        let purpose = field.purpose();
        let version = self.keyring().fingerprint(purpose, secret)?;
        let key = self.ensure_data_key(connection, tenant, purpose).await?;
        let sealed =
            key.seal(&place(tenant, kind, name, field, &version), secret.expose_secret().as_bytes())?;
        let insert = match purpose {
            SecretPurpose::Channel => sqlx::query!(
                "insert into konstruct.channel_secret (kind, name, field, version, sealed) values ($1, $2, $3, $4, $5)",
                kind.as_str(),
                name,
                field.as_str(),
                version,
                sealed
            ),
            SecretPurpose::Provider => sqlx::query!(
                "insert into konstruct.provider_secret (kind, name, field, version, sealed) values ($1, $2, $3, $4, $5)",
                kind.as_str(),
                name,
                field.as_str(),
                version,
                sealed
            ),
        };
        insert.execute(connection).await?;
        Ok(())
    }

    /// The value of a secret that a snapshot names. Only the role that the field is for can read it.
    pub async fn reveal(
        &self,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        secret: &SecretVersion,
    ) -> Result<SecretString> {
        let mut transaction = self.begin(tenant).await?;
        let sealed = match secret.field.purpose() {
            SecretPurpose::Channel => {
                sqlx::query_scalar!(
                    "select sealed from konstruct.channel_secret
                     where kind = $1 and name = $2 and field = $3 and version = $4",
                    kind.as_str(),
                    name,
                    secret.field.as_str(),
                    secret.version
                )
                .fetch_optional(&mut *transaction)
                .await?
            }
            SecretPurpose::Provider => {
                sqlx::query_scalar!(
                    "select sealed from konstruct.provider_secret
                     where kind = $1 and name = $2 and field = $3 and version = $4",
                    kind.as_str(),
                    name,
                    secret.field.as_str(),
                    secret.version
                )
                .fetch_optional(&mut *transaction)
                .await?
            }
        };
        let missing = || Error::SecretMissing {
            kind: kind.as_str(),
            name: name.to_owned(),
            field: secret.field.as_str(),
        };
        let sealed = sealed.ok_or_else(missing)?;
        let key =
            self.data_key(&mut transaction, tenant, secret.field.purpose()).await?.ok_or_else(missing)?;
        let plain = key.open(&place(tenant, kind, name, secret.field, &secret.version), &sealed)?;
        String::from_utf8(plain)
            .map(SecretString::from)
            .map_err(|_| Error::Corrupt("a secret is not UTF-8 text".to_owned()))
    }

    async fn data_key(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        purpose: SecretPurpose,
    ) -> Result<Option<Key>> {
        let wrapped = sqlx::query_scalar!(
            "select wrapped from konstruct.data_key where purpose = $1",
            purpose.as_str()
        )
        .fetch_optional(connection)
        .await?;
        wrapped.map(|wrapped| Ok(self.unwrap_data_key(tenant, purpose, &wrapped)?)).transpose()
    }

    async fn ensure_data_key(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        purpose: SecretPurpose,
    ) -> Result<Key> {
        if let Some(key) = self.data_key(connection, tenant, purpose).await? {
            return Ok(key);
        }
        let fresh = Key::random();
        let wrapped = self.keyring().key(purpose)?.seal(&data_key_place(tenant, purpose), fresh.bytes())?;
        // Another writer may have been faster: the stored one counts.
        let stored = sqlx::query_scalar!(
            "insert into konstruct.data_key as k (purpose, wrapped) values ($1, $2)
             on conflict (tenant_id, purpose) do update set wrapped = k.wrapped returning wrapped",
            purpose.as_str(),
            wrapped
        )
        .fetch_one(connection)
        .await?;
        Ok(self.unwrap_data_key(tenant, purpose, &stored)?)
    }

    fn unwrap_data_key(
        &self,
        tenant: TenantId,
        purpose: SecretPurpose,
        wrapped: &[u8],
    ) -> Result<Key, KeyError> {
        let plain = self.keyring().key(purpose)?.open(&data_key_place(tenant, purpose), wrapped)?;
        plain.try_into().map(Key::from_bytes).map_err(|_| KeyError::Open)
    }
}
