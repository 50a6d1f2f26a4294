//! Archives in a bucket: a server that speaks as Amazon's S3 does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use url::Url;

use super::sources::{HOUR, home};
use super::*;
use crate::support::server::{Reply, Server};

/// Names of a page, so that there are several.
const PAGE: usize = 2;

/// A server with these objects in its bucket `archive`; it answers without `key` in the head of a
/// request as one does that refuses.
fn bucket(objects: BTreeMap<String, Vec<u8>>) -> Server {
    Server::start(move |target, _| {
        let url = Url::parse(&format!("http://host{target}")).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().collect();
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap();
        match path.strip_prefix("/archive").map(|path| path.trim_start_matches('/')) {
            Some("") if query.get("list-type").is_some_and(|kind| kind == "2") => {
                let from = query.get("continuation-token").map_or(0, |at| at.parse().unwrap());
                Reply::Body(page(&objects, &query["prefix"], from).into_bytes())
            }
            Some(key) => objects.get(key).cloned().map_or_else(Reply::not_found, Reply::Body),
            None => Reply::status(403),
        }
    })
}

/// The page of a list that begins with the entry number `from`, as the reference of S3 has it for
/// `ListObjectsV2`.
fn page(objects: &BTreeMap<String, Vec<u8>>, prefix: &str, from: usize) -> String {
    let below = objects.keys().filter_map(|key| key.strip_prefix(prefix));
    let names: BTreeSet<&str> =
        below.map(|name| name.split_inclusive('/').next().unwrap()).collect();
    let until = from + PAGE;
    let mut page = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>archive</Name>\
         <Prefix>{prefix}</Prefix><MaxKeys>{PAGE}</MaxKeys><Delimiter>/</Delimiter>\
         <IsTruncated>{}</IsTruncated>",
        until < names.len()
    );
    if until < names.len() {
        write!(page, "<NextContinuationToken>{until}</NextContinuationToken>").unwrap();
    }
    for name in names.into_iter().skip(from).take(PAGE) {
        match name.ends_with('/') {
            true => {
                write!(page, "<CommonPrefixes><Prefix>{prefix}{name}</Prefix></CommonPrefixes>")
            }
            false => write!(
                page,
                "<Contents><Key>{prefix}{name}</Key><LastModified>2024-03-01T15:02:05.000Z\
                 </LastModified><ETag>&quot;1&quot;</ETag><Size>{}</Size><StorageClass>STANDARD\
                 </StorageClass></Contents>",
                objects[&format!("{prefix}{name}")].len()
            ),
        }
        .unwrap();
    }
    page + "</ListBucketResult>"
}

fn asked(home: &Home, server: &Server, args: &[&str]) -> Command {
    let mut command = home.celaje(args);
    command.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
    command
}

fn an_hour() -> BTreeMap<String, Vec<u8>> {
    let name = |minute: usize| format!("sky 1/roof/20240301/image-202403011{minute:03}07.jpg");
    let mut objects: BTreeMap<String, Vec<u8>> =
        [202, 212, 222, 232, 252].map(|minute| (name(minute), picture(minute % 9))).into();
    objects.insert("sky 1/roof/20240301/thumbnails/x.jpg".to_owned(), picture(1));
    objects.insert("sky 1/roof/20240229/image-20240229120207.jpg".to_owned(), picture(1));
    objects
}

#[test]
fn a_tree_in_a_bucket_is_read_into_its_slots() {
    let server = bucket(an_hour());
    let home = home("preset = 'allsky'\nurl = 's3://archive/sky%201/roof'");
    let ran = run(&mut asked(&home, &server, &HOUR));
    assert_eq!(ran.status, 0, "{ran:?}");
    let mut record = home.record("cielo.db");
    let rows = record.texts(
        "SELECT slot_local || ' ' || picture_name || ' ' || url FROM observations
         ORDER BY slot_local",
    );
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert_eq!(
        rows[0],
        "2024-03-01T12:00 image-20240301120207.jpg \
         s3://archive/sky%201/roof/20240301/image-20240301120207.jpg"
    );
    assert_eq!(
        record.texts("SELECT slot_local || ' ' || reason FROM misses"),
        ["2024-03-01T12:40 not_found"]
    );
    // Without a key nobody signs, and nothing but the bucket is asked.
    let heads = server.heads();
    assert!(heads.iter().all(|head| !head.to_lowercase().contains("authorization:")), "{heads:?}");
    let again = run(&mut asked(&home, &server, &HOUR));
    assert!(again.out.contains("duplicados=5"), "{again:?}");
}

#[test]
fn requests_are_signed_with_the_key_of_the_environment_and_it_is_told_to_nobody() {
    let server = bucket(an_hour());
    let home = home("preset = 'allsky'\nurl = 's3://archive/sky%201/roof'");
    let mut command = asked(&home, &server, &HOUR);
    command.env("AWS_ACCESS_KEY_ID", "OPEN").env("AWS_SECRET_ACCESS_KEY", "sesame-42");
    let ran = run(command.args(["--log", "debug"]));
    assert_eq!(ran.status, 0, "{ran:?}");
    let heads = server.heads();
    let signed = |head: &String| head.contains("AWS4-HMAC-SHA256 Credential=OPEN/");
    assert!(!heads.is_empty() && heads.iter().all(signed), "{heads:?}");
    assert!(!format!("{ran:?}{heads:?}").contains("sesame-42"));
}

#[test]
fn a_template_and_a_latest_picture_may_be_objects() {
    let objects = BTreeMap::from([("a/2024-03011200.jpg".to_owned(), picture(3))]);
    let server = bucket(objects);
    let names = home("path = '%Y-%m%d%H%M.jpg'\nkind = 'template'\nurl = 's3://archive/a/'");
    let ran = run(&mut asked(&names, &server, &HOUR));
    assert!(ran.out.contains("nuevos=1") && ran.out.contains("fallidos=5"), "{ran:?}");
    // The same by a flag, in place of an address that is gone.
    let moved = home("path = '%Y-%m%d%H%M.jpg'\nkind = 'template'\nurl = 'http://127.0.0.1:9/'");
    let mut command = asked(&moved, &server, &HOUR);
    let ran = run(command.args(["--source", "s3://archive/a"]));
    assert!(ran.out.contains("nuevos=1") && ran.out.contains("fallidos=5"), "{ran:?}");
    let folder = home("path = '%Y-%m%d%H%M.jpg'\nkind = 'template'\nurl = 'http://127.0.0.1:9/'");
    folder.write("images/2024-03011200.jpg", picture(3));
    let address = Url::from_file_path(folder.path("images")).unwrap();
    let ran = run(&mut folder.celaje(HOUR.iter().copied().chain(["--source", address.as_str()])));
    assert!(ran.out.contains("nuevos=1") && ran.out.contains("fallidos=5"), "{ran:?}");
}

#[test]
fn a_bucket_that_refuses_fails_or_is_not_there_is_told() {
    for (reply, parts) in [
        (Reply::status(403), &["s3://archive/roof", "AWS_ACCESS_KEY_ID"][..]),
        (Reply::status(500), &["s3://archive/roof", "500"]),
        (Reply::not_found(), &["s3://archive/roof", "there is no folder"]),
        (Reply::Body(b"<html>Welcome</html>".to_vec()), &["s3://archive/roof"]),
    ] {
        let server = Server::start(move |_, _| reply.clone());
        let home = home("preset = 'allsky'\nurl = 's3://archive/roof'");
        let ran = run(&mut asked(&home, &server, &HOUR));
        assert!(ran.out.contains("nuevos=0") && ran.out.contains("fallidos=6"), "{ran:?}");
        let details = home.record("cielo.db").texts("SELECT DISTINCT detail FROM misses");
        let told = format!("{}{}", ran.err, details.concat());
        for part in parts {
            assert!(told.contains(part), "no '{part}' in {told}");
        }
    }
    // Celaje's own names need no source elsewhere; in a bucket they are to be said.
    let server = bucket(an_hour());
    let plain = Home::new();
    let mut command = asked(&plain, &server, &HOUR);
    run(command.args(["--url-base", "s3://archive/roof"]))
        .refused(2, &["[station.source]", "path"]);
}
