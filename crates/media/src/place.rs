//! Where files lie: a bucket behind the S3 API, or a folder. Each tenant has a prefix of its own, and nothing here takes
//! a path from anybody.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use konstruct_domain::TenantId;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no place for files: write s3://BUCKET/PREFIX, or the path of a folder")]
    Address(String),
    #[error("the folder {} cannot be made: check its rights", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the place for files cannot be set up: check its address and the AWS_ variables")]
    SetUp(#[source] object_store::Error),
    #[error("the file is not there any more")]
    Missing,
    #[error("the place for files does not answer as it should")]
    Unavailable(#[source] object_store::Error),
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Unavailable(error),
        }
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Place(Arc<dyn ObjectStore>);

impl Place {
    /// `s3://bucket/prefix`, with endpoint, region and credentials from the variables that AWS's own tools read
    /// (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` …), or the path of a folder.
    pub fn open(address: &str) -> Result<Self, Error> {
        let Some(bucket) = address.strip_prefix("s3://") else { return Self::folder(address) };
        let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        if bucket.is_empty() {
            return Err(Error::Address(address.to_owned()));
        }
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(Error::SetUp)?;
        let prefix = Path::parse(prefix).map_err(|_| Error::Address(address.to_owned()))?;
        Ok(Self(Arc::new(PrefixStore::new(store, prefix))))
    }

    fn folder(address: &str) -> Result<Self, Error> {
        let path = PathBuf::from(address.strip_prefix("file://").unwrap_or(address));
        if address.is_empty() || address.contains("://") && !address.starts_with("file://") {
            return Err(Error::Address(address.to_owned()));
        }
        std::fs::create_dir_all(&path).map_err(|source| Error::Folder { path: path.clone(), source })?;
        let store = LocalFileSystem::new_with_prefix(&path).map_err(Error::SetUp)?;
        Ok(Self(Arc::new(store.with_automatic_cleanup(true))))
    }

    pub async fn put(&self, tenant: TenantId, id: Uuid, bytes: Bytes) -> Result<(), Error> {
        self.0.put(&path(tenant, id), bytes.into()).await?;
        Ok(())
    }

    pub async fn get(&self, tenant: TenantId, id: Uuid) -> Result<Bytes, Error> {
        Ok(self.0.get(&path(tenant, id)).await?.bytes().await?)
    }

    /// What is not there counts as deleted.
    pub async fn delete(&self, tenant: TenantId, id: Uuid) -> Result<(), Error> {
        match self.0.delete(&path(tenant, id)).await.map_err(Error::from) {
            Ok(()) | Err(Error::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes everything of a tenant.
    pub async fn erase(&self, tenant: TenantId) -> Result<(), Error> {
        let files = self.0.list(Some(&Path::from(tenant.to_string()))).map_ok(|file| file.location).boxed();
        self.0.delete_stream(files).try_for_each(async |_| Ok(())).await?;
        Ok(())
    }

    /// Whoever has files here.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let listed = self.0.list_with_delimiter(None).await?;
        let prefixes = listed.common_prefixes.iter();
        Ok(prefixes.filter_map(|prefix| prefix.filename()?.parse().ok()).collect())
    }
}

fn path(tenant: TenantId, id: Uuid) -> Path {
    Path::from(format!("{tenant}/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_its_tenants_alone_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::open(folder.path().join("media").to_str().unwrap()).unwrap();
        let tenant = |slug: &str| TenantId::from_slug(&slug.parse().unwrap());
        let (mine, theirs, id) = (tenant("mine"), tenant("theirs"), Uuid::new_v4());
        place.put(mine, id, Bytes::from_static(b"a")).await.unwrap();
        place.put(theirs, id, Bytes::from_static(b"b")).await.unwrap();
        assert_eq!(place.get(mine, id).await.unwrap(), "a");
        assert!(matches!(place.get(mine, Uuid::new_v4()).await, Err(Error::Missing)));
        let mut tenants = place.tenants().await.unwrap();
        tenants.sort();
        let mut expected = vec![mine, theirs];
        expected.sort();
        assert_eq!(tenants, expected);
        place.erase(mine).await.unwrap();
        assert!(matches!(place.get(mine, id).await, Err(Error::Missing)));
        assert_eq!(place.get(theirs, id).await.unwrap(), "b");
        place.delete(theirs, id).await.unwrap();
        place.delete(theirs, id).await.unwrap();
        assert!(place.tenants().await.unwrap().is_empty());
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for bad in ["", "s3://", "http://example.com/files", "gs://bucket"] {
            assert!(matches!(Place::open(bad), Err(Error::Address(_))), "{bad}");
        }
    }
}
