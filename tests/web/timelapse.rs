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
    site.get(&format!("{FILM}.avi?fps=0")).await.problem(400);
    site.get(&format!("{FILM}.gif")).await.problem(404);
}
