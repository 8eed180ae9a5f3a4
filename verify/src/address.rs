//! The tenant's own URLs, as the operator stored them, led to another address.

use secrecy::{ExposeSecret, SecretString};

/// `scheme://user:password@host:port/rest` with another `host:port`.
pub(crate) fn redirected(url: &SecretString, address: Option<&str>) -> SecretString {
    let text = url.expose_secret();
    let Some(address) = address else { return url.clone() };
    let Some((scheme, rest)) = text.split_once("://") else { return url.clone() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let login = authority.rsplit_once('@').map_or(String::new(), |(login, _)| format!("{login}@"));
    format!("{scheme}://{login}{address}{tail}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_change() {
        let led = |url: &str, address| redirected(&url.into(), address).expose_secret().to_owned();
        let url = "postgres://kt_acme:pass@postgres.data:5432/konstruct?sslmode=require";
        assert_eq!(led(url, None), url);
        assert_eq!(
            led(url, Some("127.0.0.1:1")),
            "postgres://kt_acme:pass@127.0.0.1:1/konstruct?sslmode=require"
        );
        assert_eq!(led("redis://u:p@redis:6379", Some("h:2")), "redis://u:p@h:2");
    }
}
