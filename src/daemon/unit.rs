//! The systemd unit of the always-on program. Pure: what is written where is the command's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What a unit is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The program.
    pub program: PathBuf,
    /// The settings file, if one is named.
    pub config: Option<PathBuf>,
    /// The database, where it is not the service's own.
    pub db: Option<PathBuf>,
    /// ONNX Runtime's shared library, if one is named.
    pub ort_lib: Option<PathBuf>,
    /// Where to listen.
    pub listen: Option<String>,
    /// A unit of the user's own manager, not of the system's.
    pub user_manager: bool,
    /// Number of the user that the database's folder belongs to; none has systemd make a user.
    pub run_as: Option<u32>,
}

impl Unit {
    /// The text of the unit.
    pub fn text(&self) -> String {
        let mut unit = String::from(
            "# Written by `celaje service install`; written over when that is done again.\n\
             # To change it: systemctl edit celaje\n\
             [Unit]\n\
             Description=Celaje, a record of cloud cover from a sky camera\n\
             After=network-online.target\n\
             Wants=network-online.target\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=notify\n",
        );
        let mut line = |text: String| {
            let _ = writeln!(unit, "{text}");
        };
        line(format!("ExecStart={}", self.command()));
        line("ExecReload=/bin/kill -HUP $MAINPID".to_owned());
        for rest in [
            "WatchdogSec=60",
            "TimeoutStartSec=300",
            "TimeoutStopSec=90",
            "Restart=on-failure",
            "RestartSec=5",
        ] {
            line(rest.to_owned());
        }
        let home = [
            Some(&self.program),
            self.config.as_ref(),
            self.db.as_ref(),
            self.ort_lib.as_ref(),
        ];
        let in_a_home = home.into_iter().flatten().any(|path| is_in_a_home(path));
        if let Some(library) = &self.ort_lib {
            let library = quoted(&format!("CELAJE_ORT_LIB={}", library.display()));
            line(format!("Environment={library}"));
        }
        if !self.user_manager {
            match self.run_as {
                None => line("DynamicUser=yes".to_owned()),
                Some(number) => line(format!("User={number}")),
            }
        }
        // %S and %C: /var/lib and /var/cache, or the user's own.
        line("StateDirectory=celaje".to_owned());
        line("CacheDirectory=celaje".to_owned());
        line("WorkingDirectory=%S/celaje".to_owned());
        if !self.user_manager {
            line("Environment=XDG_CACHE_HOME=%C".to_owned());
        }
        line("UMask=0022".to_owned());
        line(String::new());
        line("# What it may do: read, write its record, and speak TCP.".to_owned());
        line("NoNewPrivileges=yes".to_owned());
        line("ProtectSystem=strict".to_owned());
        if let Some(folder) = self.db.as_deref().and_then(Path::parent) {
            line(format!(
                "ReadWritePaths={}",
                quoted(&folder.display().to_string())
            ));
        }
        line(format!(
            "ProtectHome={}",
            if in_a_home || self.user_manager {
                "read-only"
            } else {
                "yes"
            }
        ));
        for rest in [
            "PrivateTmp=yes",
            "ProtectKernelTunables=yes",
            "ProtectControlGroups=yes",
            "RestrictNamespaces=yes",
            "RestrictRealtime=yes",
            "RestrictSUIDSGID=yes",
            "LockPersonality=yes",
            "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged",
            "SystemCallErrorNumber=EPERM",
        ] {
            line(rest.to_owned());
        }
        if !self.user_manager {
            for rest in [
                // A slot that was missed costs more than a slow neighbour.
                "OOMScoreAdjust=-100",
                "CapabilityBoundingSet=",
                "AmbientCapabilities=",
                "PrivateDevices=yes",
                "ProtectClock=yes",
                "ProtectHostname=yes",
                "ProtectKernelLogs=yes",
                "ProtectKernelModules=yes",
                "ProtectProc=invisible",
                "RemoveIPC=yes",
            ] {
                line(rest.to_owned());
            }
        }
        let target = if self.user_manager {
            "default.target"
        } else {
            "multi-user.target"
        };
        line(String::new());
        line("[Install]".to_owned());
        line(format!("WantedBy={target}"));
        unit
    }

    fn command(&self) -> String {
        let mut words = vec![self.program.display().to_string(), "serve".to_owned()];
        if let Some(config) = &self.config {
            words.extend(["--config".to_owned(), config.display().to_string()]);
        }
        if let Some(db) = &self.db {
            words.extend(["--db".to_owned(), db.display().to_string()]);
        }
        if let Some(listen) = &self.listen {
            words.extend(["--listen".to_owned(), listen.clone()]);
        }
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        // A `$` would be a variable of systemd's in a command, and there alone.
        words.join(" ").replace('$', "$$")
    }
}

/// Whether a path lies where `ProtectHome=yes` hides it.
fn is_in_a_home(path: &Path) -> bool {
    ["/home", "/root", "/run/user"]
        .iter()
        .any(|home| path.starts_with(home))
}

/// A word as systemd reads it: in quotes where it needs them, `%` and what is special in quotes
/// escaped.
fn quoted(word: &str) -> String {
    let escaped = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.:=,+@[]%".contains(c);
    if !escaped.is_empty() && escaped.chars().all(plain) {
        return escaped;
    }
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        Unit {
            program: "/usr/local/bin/celaje".into(),
            ..Unit::default()
        }
    }

    #[test]
    fn a_service_of_the_system_has_a_user_of_its_own_and_writes_to_its_folder_alone() {
        let text = unit().text();
        for line in [
            "Type=notify",
            "ExecStart=/usr/local/bin/celaje serve",
            "WatchdogSec=60",
            "DynamicUser=yes",
            "StateDirectory=celaje",
            "ProtectSystem=strict",
            "NoNewPrivileges=yes",
            "ProtectHome=yes",
            "CapabilityBoundingSet=",
            "WantedBy=multi-user.target",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains("ReadWritePaths"), "{text}");
    }

    #[test]
    fn a_database_elsewhere_may_be_written_by_whom_its_folder_belongs_to() {
        let text = Unit {
            db: Some("/home/ana/sky data/cielo.db".into()),
            run_as: Some(1000),
            listen: Some("0.0.0.0:8080".to_owned()),
            ..unit()
        }
        .text();
        for line in [
            "User=1000",
            "ReadWritePaths=\"/home/ana/sky data\"",
            "ProtectHome=read-only",
            "ExecStart=/usr/local/bin/celaje serve --db \"/home/ana/sky data/cielo.db\" --listen 0.0.0.0:8080",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains("DynamicUser"), "{text}");
    }

    #[test]
    fn the_users_own_manager_takes_no_privileges_away_that_it_does_not_have() {
        let text = Unit {
            user_manager: true,
            ..unit()
        }
        .text();
        assert!(text.contains("WantedBy=default.target"));
        assert!(
            !text.contains("User=") && !text.contains("Capability"),
            "{text}"
        );
    }

    #[test]
    fn what_is_special_to_systemd_is_escaped() {
        assert_eq!(quoted("/a/b"), "/a/b");
        assert_eq!(quoted("100%"), "100%%");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted("a\"\\"), "\"a\\\"\\\\\"");
        let odd = Unit {
            program: "/opt/$x/celaje".into(),
            ..Unit::default()
        };
        assert!(odd.text().contains("ExecStart=\"/opt/$$x/celaje\" serve\n"));
    }
}
