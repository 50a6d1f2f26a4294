//! Celaje as a device of a real Home Assistant: `tests/home_assistant/run.py`, where it is asked
//! for, since Home Assistant takes ten minutes to install.

use super::*;

/// Names the virtual environment that Home Assistant is in, or that it is to be installed into.
const PLACE: &str = "CELAJE_TEST_HOME_ASSISTANT";

#[test]
fn home_assistant_shows_eight_entities_over_every_restart() {
    let skipped = |why: &str| {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
    };
    let Some(place) = std::env::var_os(PLACE) else {
        return skipped(&format!("{PLACE} names no place of Home Assistant"));
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(root.join("tests/home_assistant/run.py"))
        .arg("--venv")
        .arg(root.join(place))
        .args(["--celaje", env!("CARGO_BIN_EXE_celaje")])
        .output()
        .unwrap();
    let [told, failed] =
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    let told = told.trim();
    assert!(output.status.success(), "{told}\n{failed}");
    match told.strip_prefix("skipped: ") {
        Some(why) => skipped(why),
        None => {
            assert!(told.ends_with("1 passed, 0 failed"), "{told}\n{failed}");
            println!("{told}");
        }
    }
}
