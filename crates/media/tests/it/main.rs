//! Files behind the S3 API of a real server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod minio;
