//! konstruct-llm
