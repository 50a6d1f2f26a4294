//! Films of the kept pictures over HTTP.

use celaje::camera::kept::KeepPolicy;

use crate::site::Site;

const FILM: &str = "/api/v1/stations/rio-grande/timelapse";

/// A day of readings; the pictures of four slots were kept.
fn site() -> Site {
    let mut folder = None;
    let (from, to) = ("2024-01-01T00:00", "2024-01-01T23:59");
    let site = Site::of(from, to, "http://127.0.0.1:9/", |options| {
        folder = Some(KeepPolicy::clone(&options.keep).folder);
    });
    let day = folder.unwrap().join("rio-grande/2024-01-01");
    std::fs::create_dir_all(&day).unwrap();
    for minute in ["0002", "0012", "0022", "1342"] {
        let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 90]));
        picture.save(day.join(format!("{minute}.jpg"))).unwrap();
    }
    site
}

#[actix::test]
async fn a_film_has_an_address() {
    let site = site();
    let about = site.get(&format!("{FILM}?from=2024-01-01&to=2024-01-01T12:00")).await.json();
    assert_eq!(about["pictures"], 3, "{about}");
    assert_eq!(about["from"], "2024-01-01T00:00");
    assert_eq!(about["forms"][0], "avi");
    // The last day of the record where no range is named.
    assert_eq!(site.get(FILM).await.json()["pictures"], 4);
    let film = site.get(&format!("{FILM}.avi?from=2024-01-01&to=2024-01-01")).await;
    assert_eq!(film.status, 200, "{film:?}");
    assert_eq!(film.header("content-type"), Some("video/x-msvideo"));
    let name = film.header("content-disposition").unwrap();
    assert_eq!(name, "inline; filename=\"celaje-rio-grande-20240101.avi\"");
    let night = site.get(&format!("{FILM}.avi?from=2024-01-01T12:00&to=2024-01-02T11:59")).await;
    let name = night.header("content-disposition").unwrap();
    assert_eq!(name, "inline; filename=\"celaje-rio-grande-20240101T1200.avi\"");
    assert_eq!(film.header("content-length"), Some(film.body.len().to_string().as_str()));
    let pictures = film.body.windows(4).filter(|word| word == b"00dc").count();
    // In the film, and in its index.
    assert_eq!(pictures, 2 * 4);
}

#[actix::test]
async fn where_no_picture_was_kept_that_is_said() {
    let site = site();
    let (_, why) = site.get(&format!("{FILM}.avi?from=2025-01-01")).await.problem(404);
    assert!(why.contains("no picture") && why.contains("keep"), "{why}");
    // All of them are of the day.
    site.get(&format!("{FILM}.jpg?from=2024-01-01T08:00&to=2024-01-01T20:00")).await.problem(404);
    // Nor is it said that there are any.
    let about = site.get(&format!("{FILM}?from=2024-01-01T08:00&to=2024-01-01T20:00")).await.json();
    assert_eq!(about["pictures"], 1, "{about}");
    assert!(!about["forms"].as_array().unwrap().contains(&"jpg".into()), "{about}");
    site.get(&format!("{FILM}.avi?fps=0")).await.problem(400);
    site.get(&format!("{FILM}.gif")).await.problem(404);
}

#[actix::test]
async fn a_player_gets_a_film_part_by_part() {
    let site = site();
    let film = format!("{FILM}.avi?from=2024-01-01&to=2024-01-01");
    let asked = async |headers: &[(&str, &str)]| site.ask("GET", &film, headers, b"").await;
    let whole = asked(&[("accept-encoding", "gzip")]).await;
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, Some("bytes")));
    assert_eq!(whole.header("content-encoding"), None);
    let tag = whole.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    let length = whole.body.len();
    // As Safari begins, and as whoever jumps goes on.
    for (range, first, last) in [
        ("bytes=0-1", 0, 1),
        ("bytes=1000-", 1000, length - 1),
        ("bytes=-10", length - 10, length - 1),
    ] {
        let part = asked(&[("range", range), ("if-range", &tag)]).await;
        let said = format!("bytes {first}-{last}/{length}");
        assert_eq!((part.status, part.header("content-range")), (206, Some(said.as_str())));
        assert_eq!(part.header("content-type"), Some("video/x-msvideo"));
        assert_eq!(part.header("etag"), Some(tag.as_str()));
        assert_eq!(part.body, whole.body[first..=last], "{range}");
    }
    let after = asked(&[("range", "bytes=99999999-")]).await;
    assert_eq!(after.header("content-range"), Some(format!("bytes */{length}").as_str()));
    let (named, why) = after.problem(416);
    assert_eq!(named.as_deref(), Some("Range"));
    assert!(why.contains(&length.to_string()), "{why}");
    // Another film meanwhile: the whole of it.
    let other = asked(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, length));
    assert_eq!(asked(&[("if-none-match", &tag)]).await.status, 304);
    // A film of other pictures is another one.
    let faster = site.get(&format!("{film}&fps=30")).await;
    assert_ne!(faster.header("etag"), Some(tag.as_str()));
    let head = site.ask("HEAD", &film, &[("range", "bytes=0-1")], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
}
