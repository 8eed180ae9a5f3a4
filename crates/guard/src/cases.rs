//! The ways in that others have found, one line each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap as AxumHeaders, StatusCode, header};
use axum::routing::get;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::net::TcpListener;

use super::*;

/// URLs that are refused before anything is asked, by what they try.
const URLS: [(&str, &str); 43] = [
    ("loopback", "https://127.0.0.1/"),
    ("loopback elsewhere", "https://127.8.9.10/"),
    ("loopback in short", "https://127.1/"),
    ("loopback in decimal", "https://2130706433/"),
    ("loopback in octal", "https://0177.0.0.1/"),
    ("loopback in octal, one number", "https://017700000001/"),
    ("loopback in hexadecimal", "https://0x7f.0x0.0x0.0x1/"),
    ("loopback in hexadecimal, one number", "https://0x7f000001/"),
    ("loopback with full-width digits", "https://１２７.０.０.１/"),
    ("loopback with circled digits", "https://①②⑦.⓪.⓪.①/"),
    ("loopback percent-encoded", "https://%31%32%37.0.0.1/"),
    ("loopback with a dot at the end", "https://127.0.0.1./"),
    ("loopback with ideographic full stops", "https://127。0。0。1/"),
    ("any address", "https://0.0.0.0/"),
    ("any address in short", "https://0/"),
    ("private 10", "https://10.0.0.1/"),
    ("private 172", "https://172.16.0.1/"),
    ("private 172, the last", "https://172.31.255.255/"),
    ("private 192", "https://192.168.1.1/"),
    ("private in hexadecimal", "https://0xc0a80101/"),
    ("a carrier's", "https://100.64.0.1/"),
    ("metadata", "https://169.254.169.254/latest/meta-data/"),
    ("metadata in decimal", "https://2852039166/"),
    ("metadata mixed", "https://0xa9.0376.43518/"),
    ("metadata of containers", "https://169.254.170.2/"),
    ("metadata of Alibaba", "https://100.100.100.200/"),
    ("metadata of Oracle", "https://192.0.0.192/"),
    ("Azure's platform", "https://168.63.129.16/"),
    ("IPv6 loopback", "https://[::1]/"),
    ("IPv6 any", "https://[::]/"),
    ("IPv4-mapped", "https://[::ffff:127.0.0.1]/"),
    ("IPv4-mapped in hexadecimal", "https://[::ffff:a9fe:a9fe]/"),
    ("IPv4-compatible", "https://[::127.0.0.1]/"),
    ("NAT64", "https://[64:ff9b::7f00:1]/"),
    ("NAT64, local", "https://[64:ff9b:1::a9fe:a9fe]/"),
    ("6to4", "https://[2002:7f00:1::]/"),
    ("Teredo", "https://[2001:0:0:0:0:0:80ff:fffe]/"),
    ("unique local", "https://[fd00:ec2::254]/"),
    ("link-local", "https://[fe80::1]/"),
    ("multicast", "https://224.0.0.1/"),
    ("broadcast", "https://255.255.255.255/"),
    ("reserved", "https://240.0.0.1/"),
    ("documentation", "https://203.0.113.1/"),
];

#[test]
fn addresses_that_lead_inwards_are_refused_in_every_notation() {
    let guard = Guard::default();
    for (what, url) in URLS {
        let url: Url = url.parse().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(matches!(guard.check(&url), Err(Refused::NotPublic(_))), "{what}: {url}");
    }
}

#[test]
fn urls_that_pretend_are_refused_for_what_they_are() {
    let guard = Guard::default();
    let refused = |url: &str| guard.check(&url.parse().unwrap()).unwrap_err();
    assert_eq!(refused("https://example.com@127.0.0.1/"), Refused::Credentials);
    assert_eq!(refused("https://user:key@example.com/"), Refused::Credentials);
    // What stands before the host is a user, however it is written.
    assert_eq!(refused("https://example.com%2f@127.0.0.1/"), Refused::Credentials);
    assert!(matches!(refused("https://127.0.0.1#@example.com/"), Refused::NotPublic(_)));
    assert!(matches!(refused("https://127.0.0.1\\@example.com/"), Refused::NotPublic(_)));
    assert!(matches!(refused("https://127.0.0.1?.example.com/"), Refused::NotPublic(_)));
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.com/", "data:text/plain,x"] {
        assert_eq!(refused(url), Refused::Scheme, "{url}");
    }
    for url in ["https://", "https://[::1", "https://1.2.3.4.5/", "https://exa mple/", "https://256.1.1.1/"] {
        assert!(url.parse::<Url>().is_err(), "{url} is no URL at all");
    }
}

#[test]
fn public_addresses_are_not_refused() {
    let guard = Guard::default();
    for url in
        ["https://example.com/", "https://8.8.8.8/", "http://[2606:4700::1111]:8443/v1", "https://134744072/"]
    {
        assert_eq!(guard.check(&url.parse().unwrap()), Ok(()), "{url}");
    }
}

#[test]
fn one_inward_address_spoils_a_name_and_an_allowed_network_does_not() {
    let (public, inward): (IpAddr, IpAddr) = ("8.8.8.8".parse().unwrap(), "10.1.2.3".parse().unwrap());
    let guard = Guard::default();
    assert_eq!(resolver::checked(&guard, vec![public]), Ok(vec![public]));
    for addresses in [vec![inward], vec![public, inward], vec![inward, public]] {
        assert!(matches!(resolver::checked(&guard, addresses), Err(Refused::NotPublic(_))));
    }
    assert_eq!(resolver::checked(&guard, Vec::new()), Err(Refused::NoAddress));
    let allowing = Guard::allowing(["10.1.0.0/16".parse().unwrap()]);
    assert_eq!(resolver::checked(&allowing, vec![inward]), Ok(vec![inward]));
    assert!(allowing.refuses("10.2.0.1".parse().unwrap()).is_some());
}

/// A server on loopback: a file, redirects, and what must not be reached.
async fn server() -> SocketAddr {
    let file = async |headers: AxumHeaders| {
        let token = headers.contains_key(header::AUTHORIZATION);
        ([(header::CONTENT_TYPE, "text/plain")], if token { "with token" } else { "without" })
    };
    let to = |target: &'static str| get(async move || (StatusCode::FOUND, [(header::LOCATION, target)]));
    let router = Router::new()
        .route("/file", get(file))
        .route("/large", get(async || vec![b'x'; 4096]))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_mins(1)).await))
        .route("/near", to("/file"))
        .route("/inwards", to("http://169.254.169.254/latest/meta-data/"))
        .route("/inwards-by-name", to("http://metadata.test/"))
        .route("/file-scheme", to("file:///etc/passwd"))
        .route("/for-ever", to("/for-ever"))
        .route("/nowhere", get(async || StatusCode::FOUND));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A guard that lets this test's server through, by the name `files.test` and by its address.
fn guarded() -> (Guard, Client) {
    let guard = Guard::allowing(["127.0.0.1/32".parse().unwrap()]);
    let mut names = CheckedNames::new(guard.clone());
    let inward = "10.0.0.9".parse().unwrap();
    names.known.insert("files.test".to_owned(), vec![Ipv4Addr::LOCALHOST.into()]);
    names.known.insert("metadata.test".to_owned(), vec!["169.254.169.254".parse().unwrap()]);
    names.known.insert("mixed.test".to_owned(), vec![Ipv4Addr::LOCALHOST.into(), inward]);
    let builder = Client::builder().no_proxy().redirect(redirect::Policy::none());
    (guard, builder.dns_resolver(Arc::new(names)).build().unwrap())
}

use reqwest::Client;

#[tokio::test]
async fn a_file_comes_through_and_redirects_are_judged_one_by_one() {
    let port = server().await.port();
    let (guard, client) = guarded();
    let limits = Limits { bytes: 1024, time: Duration::from_secs(10), redirects: 2, unencrypted: true };
    let get = async |address: &str, limits: Limits| {
        let url = address.replace("PORT", &port.to_string()).parse().unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, "Bearer x".parse().unwrap())]);
        fetch(&guard, &client, url, headers, limits, &|_| true).await
    };
    let file = get("http://files.test:PORT/file", limits).await.unwrap();
    assert_eq!(
        (&file.body[..], file.content_type.as_deref()),
        (b"with token".as_slice(), Some("text/plain"))
    );
    let near = get("http://127.0.0.1:PORT/near", limits).await.unwrap();
    assert_eq!(&near.body[..], b"without", "a token is for the first address only");

    let not_public = |result: Result<Fetched, FetchError>| {
        matches!(result, Err(FetchError::Refused(Refused::NotPublic(_))))
    };
    assert!(not_public(get("http://metadata.test/", limits).await), "a name that leads inwards");
    assert!(not_public(get("http://mixed.test:PORT/file", limits).await), "one good and one bad address");
    assert!(not_public(get("http://files.test:PORT/inwards", limits).await));
    assert!(not_public(get("http://files.test:PORT/inwards-by-name", limits).await));
    let scheme = get("http://files.test:PORT/file-scheme", limits).await;
    assert!(matches!(scheme, Err(FetchError::Refused(Refused::Scheme))), "{scheme:?}");
    let plain = get("http://files.test:PORT/file", Limits { unencrypted: false, ..limits }).await;
    assert!(matches!(plain, Err(FetchError::Refused(Refused::NotEncrypted))), "{plain:?}");
    let for_ever = get("http://files.test:PORT/for-ever", limits).await;
    assert!(matches!(for_ever, Err(FetchError::TooManyRedirects)), "{for_ever:?}");
    let nowhere = get("http://files.test:PORT/nowhere", limits).await;
    assert!(matches!(nowhere, Err(FetchError::Status(302))), "{nowhere:?}");
    let large = get("http://files.test:PORT/large", limits).await;
    assert!(matches!(large, Err(FetchError::TooLarge(1024))), "{large:?}");
    let slow =
        get("http://files.test:PORT/slow", Limits { time: Duration::from_millis(300), ..limits }).await;
    assert!(matches!(slow, Err(FetchError::TooSlow)), "{slow:?}");
}

#[tokio::test]
async fn other_ports_are_for_nobody_and_localhost_is_refused_by_name() {
    let guard = Guard::default();
    let client = guard.client(Client::builder()).unwrap();
    let get = async |url: &str| {
        let limits = Limits { unencrypted: true, ..Limits::default() };
        fetch(&guard, &client, url.parse().unwrap(), HeaderMap::new(), limits, &|_| true).await
    };
    let port = get("http://example.com:6379/").await;
    assert!(matches!(port, Err(FetchError::Refused(Refused::Port(6379)))), "{port:?}");
    let localhost = get("http://localhost/").await;
    assert!(matches!(localhost, Err(FetchError::Refused(Refused::NotPublic(_)))), "{localhost:?}");
}

#[tokio::test]
async fn a_trusted_site_may_be_anywhere_and_leads_nowhere_else() {
    let address = server().await;
    let site: Url = format!("http://{address}/").parse().unwrap();
    let guard = Guard::trusting(site.clone());
    let client = guard.client(Client::builder()).unwrap();
    let get = async |path: &str, may: bool| {
        let url = site.join(path).unwrap();
        let may = move |url: &Url| may || url.path() != "/file";
        fetch(&guard, &client, url, HeaderMap::new(), Limits::default(), &may).await
    };
    assert_eq!(&get("/near", true).await.unwrap().body[..], b"without");
    let elsewhere = get("/near", false).await;
    assert!(matches!(elsewhere, Err(FetchError::Refused(Refused::Elsewhere))), "{elsewhere:?}");
    for inwards in ["/inwards", "/file-scheme"] {
        assert!(matches!(get(inwards, true).await, Err(FetchError::Refused(_))), "{inwards}");
    }
    let another_port = format!("http://{}:{}/", address.ip(), address.port() ^ 1);
    assert!(matches!(guard.check(&another_port.parse().unwrap()), Err(Refused::NotPublic(_))));
    for inward in ["https://169.254.169.254/", "https://10.0.0.1/"] {
        assert!(guard.check(&inward.parse().unwrap()).is_err(), "{inward}");
    }
}
