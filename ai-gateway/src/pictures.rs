//! Pictures of a request, for models that see them; in words for those that do not.
//!
//! A runtime names a picture of its tenant by id and holds no bytes. Whose it is comes from the token of the request.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use konstruct_domain::TenantId;
use konstruct_llm::{ChatRequest, Part};
use konstruct_media::{Kind, Place, sniff};
use uuid::Uuid;

/// Instead of a picture. The model should say so, and not guess.
const NOT_SEEN: &str =
    "(The person sent a picture here. You cannot see pictures: say so, and ask for a description in words.)";
const NOT_THERE: &str =
    "(The person sent a picture here. It could not be loaded: say so, and ask to send it again.)";

/// The pictures of one request, as far as they could be loaded, by the address that the request gives them.
#[derive(Debug, Default)]
pub(crate) struct Pictures(HashMap<String, String>);

impl Pictures {
    pub(crate) async fn load(place: Option<&Place>, tenant: TenantId, request: &ChatRequest) -> Self {
        let mut loaded = HashMap::new();
        for address in request.pictures() {
            let id = address.strip_prefix("media:").and_then(|id| id.parse::<Uuid>().ok());
            let (Some(place), Some(id)) = (place, id) else { continue };
            match place.get(tenant, id).await {
                Ok(bytes) if sniff(&bytes) == Kind::Picture => {
                    loaded.insert(address.to_owned(), data_address(&bytes));
                }
                Ok(_) => tracing::warn!(%tenant, picture = %id, "a stored picture is none"),
                Err(error) => tracing::warn!(%tenant, picture = %id, %error, "a picture was not loaded"),
            }
        }
        Self(loaded)
    }

    /// The request for a model that sees pictures, or for one that does not.
    pub(crate) fn prepared<'a>(&self, request: &'a ChatRequest, sees: bool) -> Cow<'a, ChatRequest> {
        if request.pictures().is_empty() {
            return Cow::Borrowed(request);
        }
        Cow::Owned(request.replace_pictures(|address| match self.0.get(address) {
            _ if !sees => Part::text(NOT_SEEN),
            Some(data) => Part::image(data),
            None => Part::text(NOT_THERE),
        }))
    }
}

/// We wrote the file ourselves, as one of two types.
fn data_address(bytes: &[u8]) -> String {
    let media_type = if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(address: &str) -> ChatRequest {
        serde_json::from_value(json!({"model": "agent/ada", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": address}},
        ]}]}))
        .unwrap()
    }

    fn parts(request: &ChatRequest) -> Value {
        serde_json::to_value(request).unwrap()["messages"][0]["content"].clone()
    }

    #[tokio::test]
    async fn a_picture_is_shown_to_who_sees_and_described_to_who_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::open(folder.path().to_str().unwrap()).unwrap();
        let tenant = |slug: &str| TenantId::from_slug(&slug.parse().unwrap());
        let (mine, theirs, id) = (tenant("mine"), tenant("theirs"), Uuid::new_v4());
        place.put(mine, id, b"\x89PNG\r\n\x1a\nrest".as_slice().into()).await.unwrap();
        let request = request(&format!("media:{id}"));
        assert_eq!(request.check(), Ok(()));

        let pictures = Pictures::load(Some(&place), mine, &request).await;
        let seen = parts(&pictures.prepared(&request, true));
        assert_eq!(seen[1]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgpyZXN0");
        let told = parts(&pictures.prepared(&request, false));
        assert_eq!(told[1], json!({"type": "text", "text": NOT_SEEN}));

        for (place, tenant) in [(Some(&place), theirs), (None, mine)] {
            let pictures = Pictures::load(place, tenant, &request).await;
            assert_eq!(parts(&pictures.prepared(&request, true))[1]["text"], NOT_THERE);
        }
    }

    #[test]
    fn what_has_no_picture_is_passed_on_as_it_is() {
        let plain: ChatRequest =
            serde_json::from_value(json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}))
                .unwrap();
        assert!(matches!(Pictures::default().prepared(&plain, false), Cow::Borrowed(_)));
        for address in ["https://example.com/a.png", "file:///etc/passwd", ""] {
            assert!(request(address).check().is_err(), "{address}");
        }
    }
}
