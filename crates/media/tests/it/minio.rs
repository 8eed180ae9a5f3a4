//! The bucket of a MinIO that `make test-s3` starts, and names with the variables that the product reads.

use bytes::Bytes;
use konstruct_domain::TenantId;
use konstruct_media::{Error, Place};
use uuid::Uuid;

fn tenant(slug: &str) -> TenantId {
    TenantId::from_slug(&slug.parse().unwrap())
}

#[tokio::test]
#[ignore = "needs a MinIO: make test-s3"]
async fn files_in_a_bucket_are_their_tenants_alone_and_go_with_it() {
    let bucket = std::env::var("KONSTRUCT_TEST_S3").expect("make test-s3 names the bucket");
    let place = Place::open(&format!("{bucket}/a/prefix")).unwrap();
    let elsewhere = Place::open(&format!("{bucket}/another")).unwrap();
    let (mine, theirs, id) = (tenant("mine"), tenant("theirs"), Uuid::new_v4());
    let large = Bytes::from(vec![7; 20 << 20]);
    place.put(mine, id, large.clone()).await.unwrap();
    place.put(theirs, id, Bytes::from_static(b"b")).await.unwrap();
    place.put(theirs, id, Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(place.get(mine, id).await.unwrap(), large);
    assert_eq!(place.get(theirs, id).await.unwrap(), "again");
    assert!(matches!(place.get(mine, Uuid::new_v4()).await, Err(Error::Missing)));
    assert!(matches!(elsewhere.get(mine, id).await, Err(Error::Missing)), "a prefix is a place of its own");
    let mut tenants = place.tenants().await.unwrap();
    tenants.sort();
    let mut expected = vec![mine, theirs];
    expected.sort();
    assert_eq!(tenants, expected);

    // More than one answer of the list has.
    let put = (0..1_100).map(|_| place.put(mine, Uuid::new_v4(), Bytes::from_static(b"x")));
    let put: Vec<_> = futures::future::join_all(put).await;
    assert!(put.iter().all(Result::is_ok));
    place.erase(mine).await.unwrap();
    assert!(matches!(place.get(mine, id).await, Err(Error::Missing)));
    assert_eq!(place.tenants().await.unwrap(), [theirs]);
    for _ in 0..2 {
        place.delete(theirs, id).await.unwrap();
    }
    assert!(place.tenants().await.unwrap().is_empty());

    let nowhere = Place::open("s3://not-a-bucket-of-this-server").unwrap();
    assert!(nowhere.put(mine, id, Bytes::from_static(b"x")).await.is_err());
}
