//! `celaje label`: the same page for a folder of pictures.

use crate::driver::Browser;
use crate::scene::Program;
use crate::support::onnx;
use crate::support::pictures;
use crate::support::record::Record;

#[tokio::test]
async fn a_folder_is_labelled_without_a_camera_or_a_token_of_ones_own() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::create_dir(place("mias")).unwrap();
    for minute in [2, 12, 22, 32] {
        let name = format!("mias/2024-030112{minute:02}.jpg");
        std::fs::write(place(&name), pictures::jpeg(f64::from(minute) / 60.0)).unwrap();
    }
    onnx::write_red(folder.path(), "red", "3");
    let flags = ["label", "mias", "--engine", "rten", "--model", "red.onnx", "--threads", "1"];
    let program = Program::start(folder.path(), &flags);
    assert!(program.url.contains("/#/label?token="), "{}", program.url);
    browser.open(&program.url).await;
    browser.until("document.activeElement.id === 'observer'").await;
    // The token is held and no longer in the address.
    assert_eq!(browser.run("return location.hash").await, "#/label");
    for letter in "Luz\u{e007}".chars() {
        browser.press(&letter.to_string()).await;
    }
    for n in 0..4 {
        browser
            .until(&format!(
                "document.querySelector('.labelling .shot.here') && \
                 document.querySelector('.bar .quiet').textContent.startsWith('{n} etiquetadas')"
            ))
            .await;
        browser.press("3").await;
    }
    browser.until("document.body.innerText.includes('No quedan imágenes por etiquetar')").await;
    let kept = "celaje_labels WHERE observer = 'Luz' AND okta = 3";
    let mut record = Record::open(&place("mias/celaje-labels.db"));
    for _ in 0..100 {
        if record.count(kept) == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(record.count(kept), 4);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
