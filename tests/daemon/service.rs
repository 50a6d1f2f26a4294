//! `celaje service`.

use super::*;

#[test]
fn a_unit_is_shown_written_and_removed() {
    let home = Home::new();
    let shown = home
        .celaje()
        .args(["service", "install", "--dry-run"])
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let unit = String::from_utf8(shown.stdout).unwrap();
    for line in [
        "Type=notify",
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "WatchdogSec=60",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line} in {unit}");
    }
    let file = home.path(".config/systemd/user/celaje.service");
    assert!(!file.exists());
    let written = home
        .celaje()
        .args(["service", "install", "--user", "--listen", "127.0.0.1:9090"])
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let unit = std::fs::read_to_string(&file).unwrap();
    assert!(unit.contains("--listen 127.0.0.1:9090"), "{unit}");
    assert!(unit.contains("WantedBy=default.target"), "{unit}");
    let told = String::from_utf8(written.stdout).unwrap();
    assert!(
        told.contains("systemctl --user enable --now celaje"),
        "{told}"
    );
    let mut uninstall = home.celaje();
    uninstall.args(["service", "uninstall", "--user"]);
    assert!(uninstall.output().unwrap().status.success());
    assert!(!file.exists());
    let again = uninstall.output().unwrap();
    assert_eq!(again.status.code(), Some(2));
}
