//! An answer that is read while it is written.

use reqwest::Response;
use serde::Deserialize;

use super::{ANSWER_MAX_BYTES, Answer, Unavailable};
use crate::partial::Shown;
use crate::wire::{Extension, Usage};

/// The end of a stream that is whole.
const DONE: &str = "[DONE]";

#[derive(Debug, Deserialize)]
struct Chunk {
    model: String,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    konstruct: Extension,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

/// What has come so far.
#[derive(Debug, Default)]
struct Reading {
    rest: Vec<u8>,
    answer: Option<Answer>,
    whole: bool,
}

pub(super) async fn read(mut response: Response, shown: &Shown) -> Result<Answer, Unavailable> {
    let mut reading = Reading::default();
    let mut size = 0;
    while let Some(bytes) = response.chunk().await.map_err(|error| Unavailable::unreachable(&error))? {
        size += bytes.len();
        // Each token has some 300 bytes of framing.
        if size > ANSWER_MAX_BYTES * 8 {
            return Err(Unavailable::Unreadable(format!("more than {} bytes", ANSWER_MAX_BYTES * 8)));
        }
        reading.take(&bytes, shown)?;
    }
    match reading {
        Reading { answer: Some(answer), whole: true, .. } => Ok(answer),
        _ => Err(Unavailable::Unreadable("the answer broke off".to_owned())),
    }
}

impl Reading {
    fn take(&mut self, bytes: &[u8], shown: &Shown) -> Result<(), Unavailable> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data: ") {
                let piece = self.read(data.trim_ascii_end())?;
                if !piece.is_empty() {
                    shown.append(&piece);
                }
            }
        }
        Ok(())
    }

    /// The text that one event adds.
    fn read(&mut self, data: &[u8]) -> Result<String, Unavailable> {
        if data == DONE.as_bytes() {
            self.whole = true;
            return Ok(String::new());
        }
        let chunk: Chunk = serde_json::from_slice(data)
            .map_err(|_| Unavailable::Unreadable("an event of the answer's stream".to_owned()))?;
        let answer = self.answer.get_or_insert_with(|| Answer {
            text: String::new(),
            provider: chunk.konstruct.provider,
            model: chunk.model,
            tokens_in: 0,
            tokens_out: 0,
        });
        if let Some(usage) = chunk.usage {
            answer.tokens_in = usage.prompt_tokens.max(0);
            answer.tokens_out = usage.completion_tokens.max(0);
        }
        let texts = chunk.choices.into_iter().filter_map(|choice| choice.delta.content);
        let piece: String = texts.collect();
        answer.text.push_str(&piece);
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> String {
        let delta = serde_json::json!({ "content": text });
        serde_json::json!({"model": "m", "choices": [{"delta": delta}], "konstruct": {"provider": "p"}})
            .to_string()
    }

    #[test]
    fn an_answer_is_put_together_and_counted() {
        let mut reading = Reading::default();
        for text in ["", "Hel", "lo"] {
            assert_eq!(reading.read(chunk(text).as_bytes()).unwrap(), text);
        }
        let usage = br#"{"model":"m","choices":[],"konstruct":{"provider":"p"},"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        reading.read(usage).unwrap();
        assert!(!reading.whole, "it may still break off");
        reading.read(b"[DONE]").unwrap();
        let answer = reading.answer.unwrap();
        assert_eq!((answer.text.as_str(), answer.tokens_in, answer.tokens_out), ("Hello", 3, 2));
        assert!(reading.whole);
    }

    #[test]
    fn an_error_in_the_middle_is_no_answer() {
        let mut reading = Reading::default();
        reading.read(chunk("Hel").as_bytes()).unwrap();
        assert!(reading.read(br#"{"error":{"message":"broke","code":"provider_interrupted"}}"#).is_err());
    }
}
