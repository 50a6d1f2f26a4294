//! The documents against the program: what they print parses, and what the program knows they name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use celaje::commands::Cli;
use celaje::settings::{Layer, Settings};
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Flag;
use celaje_vision::model::validate;
use clap::CommandFactory;

/// The documents in English and in Spanish, word for word of equal standing.
const READMES: [&str; 2] = ["README.md", "README.es.md"];
const SETTINGS: [&str; 2] = ["docs/settings.md", "docs/es/ajustes.md"];
const MODELS: [&str; 2] = ["docs/models.md", "docs/es/modelos.md"];
const APIS: [&str; 2] = ["docs/api.md", "docs/es/api.md"];
const RECORDS: [&str; 2] = ["docs/record.md", "docs/es/registro.md"];
const INTEGRATIONS: [&str; 2] = ["docs/integrations.md", "docs/es/integraciones.md"];
const INSTALLATIONS: [&str; 2] = ["docs/install.md", "docs/es/instalacion.md"];
const NOTEBOOKS: [&str; 2] = ["docs/notebook.md", "docs/es/cuaderno.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every document of the repository for people, by its path.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/es"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.push(Path::new(folder).join(name).to_str().unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The cells of a table's line: a bar that is escaped is no end of one.
fn cells(line: &str) -> usize {
    line.trim().replace("\\|", "").matches('|').count()
}

#[test]
fn rows_of_tables_have_as_many_cells_as_their_heads() {
    for name in documents() {
        let (mut head, mut is_code) = (None, false);
        for (number, line) in text(&name).lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            if is_code || !line.trim_start().starts_with('|') {
                head = None;
                continue;
            }
            let found = cells(line);
            let head = *head.get_or_insert(found);
            assert_eq!(found, head, "{name}:{}: {line}", number + 1);
        }
    }
}

/// The code blocks of a document that are in `language`.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<Option<String>> = None;
    for line in document.lines() {
        let fence = line.strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(name)) => open = Some((name == language).then(String::new)),
            (Some(_), Some(_)) => blocks.extend(open.take().flatten()),
            (Some(Some(block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

fn settings_of(toml: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("celaje.toml");
    std::fs::write(&path, toml).unwrap();
    Settings::resolve(Layer::default(), Some(&path), |_| None).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_example_settings_are_the_defaults() {
    let example = text("celaje.example.toml");
    // Lines that show a default begin with `#` and no blank; remarks have a blank.
    let shown: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(shown, example);
    let nothing = Settings::resolve(Layer::default(), Some(&empty()), |_| None).unwrap();
    for toml in [&example, &shown] {
        let settings = settings_of(toml);
        assert_eq!(settings.station, nothing.station);
        assert_eq!(settings.tuning, nothing.tuning);
        assert_eq!(settings.engine, nothing.engine);
        assert_eq!(settings.device, nothing.device);
    }
    for key in [
        "db",
        "model",
        "shadow_model",
        "catch_up",
        "keep",
        "keep_mb",
        "keep_size",
        "keep_dir",
        "queue",
        "queue_ca_file",
        "queue_credentials",
        "queue_patience",
        "ort_lib",
        "engine",
        "device",
        "concurrency",
        "max_concurrency",
        "max_rps",
        "session_threads",
        "batch",
        "threads",
        "timeout",
        "max_bytes",
        "layout",
        "valid_minutes",
        "top",
        "left",
        "right",
        "mask",
        "projection",
        "centre",
        "radius",
        "edge",
        "limit",
        "zenith",
        "north",
        "polygon",
    ] {
        let named =
            |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} ="));
        assert!(example.lines().any(named), "{key}");
    }
}

/// An empty settings file, so that none of this machine is read.
fn empty() -> PathBuf {
    let path = root().join("tests/fixtures/empty.toml");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    path
}

#[test]
fn settings_in_the_documents_are_understood() {
    for name in READMES.iter().chain(&SETTINGS).chain(&INTEGRATIONS).chain(&NOTEBOOKS) {
        let document = text(name);
        let found = blocks(&document, "toml");
        assert!(!found.is_empty(), "{name} shows no settings");
        for block in found {
            settings_of(&block);
        }
    }
}

#[test]
fn manifests_in_the_documents_are_understood() {
    for name in MODELS {
        let found = blocks(&text(name), "toml");
        assert!(found.len() >= 2, "{name} shows a manifest of each kind");
        for block in found {
            validate::parse(&block, name).unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
        }
    }
}

#[test]
fn every_flag_and_its_variable_is_named() {
    let readme_commands = READMES.map(text);
    let settings = SETTINGS.map(text);
    let command = Cli::command();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        for readme in &readme_commands {
            let call = format!("celaje {}", sub.get_name());
            assert!(readme.contains(&call), "{call}");
        }
    }
    let inner = command.get_subcommands().flat_map(|c| c.get_subcommands());
    let commands = command.get_subcommands().chain(inner).chain([&command]);
    for arg in commands.flat_map(|c| c.get_arguments()) {
        let Some(variable) = arg.get_env() else {
            continue;
        };
        let wanted = [
            format!("`{}`", variable.to_string_lossy()),
            format!("`--{}", arg.get_long().unwrap_or_default()),
        ];
        for document in &settings {
            for name in &wanted {
                assert!(document.contains(name), "{name} is in no table");
            }
        }
    }
}

#[test]
fn every_reason_of_a_miss_and_every_flag_of_a_picture_is_explained() {
    for document in RECORDS.map(text) {
        let reasons = MissReason::ALL.map(MissReason::as_str);
        for name in reasons.iter().chain(&Flag::ALL.map(Flag::as_str)) {
            assert!(document.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}

#[test]
fn every_column_of_the_record_is_explained() {
    let schema = [
        "0001_record",
        "0003_daemon",
        "0005_writer",
        "0008_labels",
        "0009_sources",
        "0010_reach",
        "0011_sky_parts",
    ]
    .map(|name| text(&format!("migrations/{name}/up.sql")))
    .concat();
    for document in RECORDS.map(text) {
        let mut columns = 0;
        for line in schema.lines() {
            let added = line.split_once("ADD COLUMN ").map(|(_, column)| column);
            let Some(rest) = line.strip_prefix("    ").or(added) else {
                continue;
            };
            let mut words = rest.split_whitespace();
            let (Some(name), Some(kind)) = (words.next(), words.next()) else {
                continue;
            };
            let kind = kind.trim_end_matches([',', ';']);
            if ["TEXT", "INTEGER", "REAL"].contains(&kind) {
                columns += 1;
                assert!(document.contains(&format!("`{name}`")), "{name}");
            }
        }
        assert!(columns > 50, "{columns}");
    }
}

#[test]
fn every_reason_of_safety_is_explained() {
    for document in INTEGRATIONS.map(text) {
        for reason in celaje_sky::safety::SafetyReason::ALL {
            assert!(document.contains(&format!("`{}`", reason.as_str())), "{reason:?}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in documents() {
        let document = text(&name);
        let folder = root().join(&name).parent().unwrap().to_owned();
        for part in document.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(folder.join(target).exists(), "{name}: {target}");
        }
    }
}

#[test]
fn the_spanish_readme_has_every_section_of_the_english_one() {
    let headings = READMES.map(|name| {
        let levels: Vec<usize> = text(name)
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| line.chars().take_while(|c| *c == '#').count())
            .collect();
        levels
    });
    assert_eq!(headings[0], headings[1]);
    let code = READMES.map(|name| blocks(&text(name), "sh").len());
    assert_eq!(code[0], code[1]);
}

#[test]
fn every_path_of_the_api_is_explained() {
    let description: serde_json::Value =
        serde_json::from_str(celaje::web::openapi::description()).unwrap();
    let mut paths: Vec<_> = description["paths"].as_object().unwrap().iter().collect();
    // Neither other forms of a path nor the files of the pages.
    paths.retain(|(_, methods)| {
        let get = &methods["get"];
        get["x-form-of"].is_null() && get["tags"] != serde_json::json!(["dashboard"])
    });
    assert!(paths.len() > 20);
    for document in APIS.map(text) {
        for (path, _) in &paths {
            // The document says a list of one station's runs as the list of all.
            let path = path.replace("{station}", "{id}");
            let said = path.strip_suffix("/{run}").unwrap_or(&path);
            assert!(document.contains(said.trim_end_matches('/')), "{path}");
        }
        for metric in ["celaje_info", "celaje_pictures_total", "celaje_record_up"] {
            assert!(document.contains(&format!("`{metric}`")), "{metric}");
        }
    }
}

#[test]
fn every_error_of_the_api_is_explained() {
    use celaje_sky::text::Lang;
    for (document, lang) in APIS.map(text).iter().zip([Lang::En, Lang::Es]) {
        for code in celaje::web::problem::ProblemCode::ALL {
            let (status, code, meaning) = code.row();
            let row = format!("| {} | `{code}` | {} |", status.as_u16(), meaning.get(lang));
            assert!(document.contains(&row), "{row}");
        }
        let codes = document.lines().filter(|line| {
            line.split('|').nth(1).is_some_and(|cell| cell.trim().parse::<u16>().is_ok())
        });
        assert_eq!(codes.count(), celaje::web::problem::ProblemCode::ALL.len());
    }
}

/// The value of a line `KEY=value` of the systemd unit.
fn unit_line<'a>(unit: &'a str, key: &str) -> &'a str {
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the unit has no {key}"))
}

#[test]
fn the_unit_and_the_image_call_the_program_as_it_wants_to_be_called() {
    let unit = text("contrib/celaje.service");
    let serve: Vec<&str> = unit_line(&unit, "ExecStart").split(' ').collect();
    Cli::command().try_get_matches_from(&serve).unwrap_or_else(|e| panic!("{e}"));
    let (file, name) = (serve.last().unwrap(), serve[serve.len() - 2]);
    assert_eq!((name, *file), ("--config", "/etc/celaje/celaje.toml"));
    let image = text("Containerfile");
    assert!(image.contains(concat!("/rust:", env!("CARGO_PKG_RUST_VERSION"), "-")));
    let command = image.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let mut words: Vec<String> = serde_json::from_str(command).unwrap();
    words.insert(0, "celaje".to_owned());
    Cli::command().try_get_matches_from(words).unwrap_or_else(|e| panic!("{e}"));

    // The user of the unit is the one that the package makes, and may write where the record is.
    let sysusers = text("contrib/celaje.sysusers");
    let user = unit_line(&unit, "User");
    assert!(sysusers.lines().any(|line| line.starts_with(&format!("u {user} "))), "{sysusers}");
    let state = Path::new("/var/lib").join(unit_line(&unit, "StateDirectory"));
    assert_eq!(settings_of(&text("contrib/celaje.toml")).db.parent(), Some(state.as_path()));
}

/// Docker reads no other name of this file; Podman reads this one, too.
#[test]
fn the_image_is_made_without_what_does_not_belong_there() {
    let left_out = text(".dockerignore");
    assert!(!root().join(".containerignore").exists(), "Podman would read it instead");
    for path in [".git/", "**/target/", "contrib/celaje-data/", "**/*.db"] {
        assert!(left_out.lines().any(|line| line == path), "{path}");
    }
}

#[test]
fn what_the_packages_hold_is_there_and_says_the_same() {
    let toml = |name: &str| toml::from_str::<toml::Table>(&text(name)).unwrap();
    let (cargo, python) = (toml("Cargo.toml"), toml("pyproject.toml"));
    let project = &python["project"];
    assert!(project.get("version").is_none(), "the version is that of Cargo.toml");
    assert_eq!(project["dynamic"].as_array().unwrap()[0].as_str(), Some("version"));
    for (key, value) in [
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("license", env!("CARGO_PKG_LICENSE")),
        ("name", env!("CARGO_PKG_NAME")),
    ] {
        assert_eq!(project[key].as_str(), Some(value));
    }
    let wheel = concat!("celaje-", env!("CARGO_PKG_VERSION"), "-py3-none-manylinux_");
    let deb = concat!("celaje_", env!("CARGO_PKG_VERSION"), "-1_amd64.deb");
    for document in READMES.into_iter().chain(INSTALLATIONS).map(text) {
        for file in [wheel, deb, "_aarch64.whl", "_arm64.deb"] {
            assert!(document.contains(file), "{file}: {document}");
        }
    }
    // Celaje is on no index of packages, and Debian 12 lets pip install in an environment only.
    for name in documents() {
        for block in blocks(&text(&name), "sh") {
            for line in block.lines().filter(|line| line.contains("pip")) {
                let bare = line.trim_start().starts_with("pip install");
                let unpublished = line.ends_with("install celaje");
                assert!(!bare && !unpublished, "{name}: {line}");
            }
        }
    }

    let deb = &cargo["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap().iter().map(|asset| asset[0].as_str());
    let scripts = deb["maintainer-scripts"].as_str();
    let units = deb["systemd-units"]["unit-scripts"].as_str();
    assert!(assets.clone().any(|path| path == Some("contrib/csv2bufr.json")));
    for path in assets.chain([scripts, units, project["readme"].as_str()]).flatten() {
        // What lies in target is made when the package is.
        assert!(path.starts_with("target/") || root().join(path).exists(), "there is no {path}");
    }
}
