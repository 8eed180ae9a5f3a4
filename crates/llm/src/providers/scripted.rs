//! Rules instead of a model, for demos and tests. Every answer says so.

use futures::StreamExt;
use konstruct_domain::message::truncate;
use konstruct_domain::snapshot::ScriptedRule;
use regex::{Captures, Regex, RegexBuilder};

use super::{Call, Invalid, RenderAs};
use crate::answer::{Chunk, ChunkStream, FinishReason, Usage};
use crate::tokens;

/// Ends every answer. No rule can leave it out.
pub const DISCLAIMER: &str = "\n\n— scripted demo model, not a real AI model";

const NO_RULE_MATCHES: &str = "None of my rules fits that message.";

/// Most of a person's message that a reply repeats, in characters.
const QUOTE_MAX: usize = 2_000;

/// Memory that a compiled rule may take.
const RULE_SIZE_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Scripted {
    rules: Vec<Rule>,
    placeholder: Regex,
}

#[derive(Debug)]
struct Rule {
    pattern: Option<Regex>,
    reply: String,
}

impl Scripted {
    pub(super) fn new(rules: &[ScriptedRule]) -> Result<Self, Invalid> {
        let rules = rules.iter().enumerate().map(|(index, rule)| {
            let pattern = rule.pattern.as_deref().map(|pattern| compile(pattern, index)).transpose()?;
            Ok(Rule { pattern, reply: rule.reply.clone() })
        });
        let placeholder = compile(r"\{\{\s*(name|role|message)\s*\}\}", 0)?;
        Ok(Self { rules: rules.collect::<Result<_, _>>()?, placeholder })
    }

    pub(super) fn stream(&self, call: Call<'_>) -> ChunkStream {
        let message = call.request.last_user_text().unwrap_or_default();
        let text = self.reply(&message, call.render_as);
        let usage = Usage {
            input_tokens: tokens::estimate(call.request.characters()),
            output_tokens: tokens::estimate(text.chars().count()),
        };
        let words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let words = words.into_iter().map(Chunk::Text);
        let end = [Chunk::Finished(FinishReason::Stop), Chunk::Usage(usage)];
        futures::stream::iter(words.chain(end).map(Ok)).boxed()
    }

    fn reply(&self, message: &str, render_as: RenderAs<'_>) -> String {
        let fits = |rule: &&Rule| rule.pattern.as_ref().is_none_or(|pattern| pattern.is_match(message));
        let reply = self.rules.iter().find(fits).map_or(NO_RULE_MATCHES, |rule| &rule.reply);
        // One pass: what a person writes is not searched for placeholders again.
        let text = self.placeholder.replace_all(reply, |found: &Captures<'_>| match &found[1] {
            "name" => render_as.name.to_owned(),
            "role" => render_as.role.to_owned(),
            _ => truncate(message, QUOTE_MAX).to_owned(),
        });
        format!("{text}{DISCLAIMER}")
    }
}

fn compile(pattern: &str, index: usize) -> Result<Regex, Invalid> {
    RegexBuilder::new(pattern).size_limit(RULE_SIZE_MAX).build().map_err(|_| Invalid::Rule { index })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: RenderAs<'_> = RenderAs { name: "Ada", role: "the librarian" };

    fn rule(pattern: Option<&str>, reply: &str) -> ScriptedRule {
        ScriptedRule { pattern: pattern.map(str::to_owned), reply: reply.to_owned() }
    }

    #[test]
    fn the_first_rule_that_fits_answers_and_always_says_what_it_is() {
        let scripted = Scripted::new(&[
            rule(Some("(?i)your name"), "I am {{name}}, {{ role }}."),
            rule(Some("^echo"), "You wrote: {{message}}"),
        ])
        .unwrap();
        let reply = |message| scripted.reply(message, ADA);
        assert_eq!(reply("What is YOUR NAME?"), format!("I am Ada, the librarian.{DISCLAIMER}"));
        assert_eq!(reply("echo {{name}}"), format!("You wrote: echo {{{{name}}}}{DISCLAIMER}"));
        assert_eq!(reply("something else"), format!("{NO_RULE_MATCHES}{DISCLAIMER}"));
    }

    #[test]
    fn a_rule_without_pattern_fits_everything_and_a_long_message_is_quoted_in_part() {
        let scripted = Scripted::new(&[rule(None, "{{message}}")]).unwrap();
        let reply = scripted.reply(&"ä".repeat(40_000), ADA);
        assert_eq!(reply.chars().count(), QUOTE_MAX + DISCLAIMER.chars().count());
    }

    #[test]
    fn a_pattern_that_is_broken_or_huge_is_refused_by_its_place() {
        for bad in ["(", r"(?:\w{1000}){1000}"] {
            let rules = [rule(None, ""), rule(Some(bad), "")];
            assert_eq!(Scripted::new(&rules).unwrap_err(), Invalid::Rule { index: 1 });
        }
    }
}
