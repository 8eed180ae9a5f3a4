//! Forms with files, as the doubles get them.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};

/// A file that came with a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) fields: HashMap<String, String>,
    pub(crate) files: HashMap<String, Upload>,
}

pub(crate) fn is_one(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("multipart/form-data"))
}

/// `None` when it cannot be read.
pub(crate) async fn read(headers: &HeaderMap, body: &Bytes) -> Option<Form> {
    let content_type = headers.get(header::CONTENT_TYPE)?;
    let request =
        Request::builder().header(header::CONTENT_TYPE, content_type).body(Body::from(body.clone())).ok()?;
    let mut parts = Multipart::from_request(request, &()).await.ok()?;
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.ok()? {
        let name = part.name()?.to_owned();
        if let Some(file) = part.file_name().map(str::to_owned) {
            let media_type = part.content_type().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.ok()?.to_vec();
            form.files.insert(name, Upload { name: file, media_type, bytes });
        } else {
            form.fields.insert(name, part.text().await.ok()?);
        }
    }
    Some(form)
}
