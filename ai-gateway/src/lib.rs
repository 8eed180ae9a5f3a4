//! konstruct-ai-gateway
