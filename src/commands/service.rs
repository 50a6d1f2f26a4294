//! `celaje service install|uninstall`: the systemd unit of the always-on program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use crate::commands::output;
use crate::commands::serve::socket;
use crate::daemon::unit::Unit;
use crate::settings::layer::SpanishHelp;
use crate::settings::{Layer, Settings};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_vision::engine::search::Search;

/// `celaje service`.
#[derive(Clone, Debug, Args)]
pub struct ServiceArgs {
    /// What to do with the service.
    #[command(subcommand)]
    pub action: ServiceAction,
}

/// What to do with the service.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceAction {
    /// Write a systemd unit that keeps `celaje serve` running, and say what to do next
    Install(ServiceInstall),
    /// Remove the unit; the record stays
    Uninstall {
        /// The unit of your own services, not of the system's
        #[arg(long, env = "CELAJE_USER", value_parser = FalseyValueParser::new())]
        user: bool,
    },
}

/// `celaje service install`.
#[derive(Clone, Debug, Args)]
pub struct ServiceInstall {
    /// A unit of your own services, not of the system's
    #[arg(long, env = "CELAJE_USER", value_parser = FalseyValueParser::new())]
    pub user: bool,
    /// Print the unit instead of writing it
    #[arg(long, env = "CELAJE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Database file [default: that of the settings, else one in the service's own folder]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    pub db: Option<PathBuf>,
    /// Address and port that the service listens on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "CELAJE_LISTEN", value_parser = socket)]
    pub listen: Option<SocketAddr>,
}

pub(super) const SPANISH: SpanishHelp = &[
    (
        "service",
        "Hace que systemd mantenga en marcha `celaje serve`",
    ),
    (
        "install",
        "Escribe una unidad de systemd, y dice cómo seguir",
    ),
    ("uninstall", "Borra la unidad; el registro queda"),
    (
        "user",
        "La unidad de sus propios servicios, no de los del sistema",
    ),
    ("dry_run", "Muestra la unidad en vez de escribirla"),
    ("listen", "Dirección y puerto en que escucha el servicio"),
];

impl ServiceArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        run(self.action, config)
    }
}

/// The unit's name.
const NAME: &str = "celaje.service";

/// Runs the command; gives its exit status.
///
/// # Errors
/// When the unit cannot be written or removed.
pub fn run(action: ServiceAction, config: Option<&Path>) -> Result<u8> {
    match action {
        ServiceAction::Install(args) => install(&args, config),
        ServiceAction::Uninstall { user } => uninstall(user),
    }
}

fn install(args: &ServiceInstall, config: Option<&Path>) -> Result<u8> {
    let unit = unit(args, config)?;
    let text = unit.text();
    let folder = folder(args.user)?;
    let path = folder.join(NAME);
    let shown = path.display();
    if args.dry_run {
        output::note(say!(
            "this would be written to {shown}:",
            "esto se escribiría en {shown}:"
        ));
        output::line(text.trim_end())?;
        verify(&text);
        return Ok(0);
    }
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| output::replace_file(&path, text.as_bytes()));
    written.map_err(|e| {
        Failure::environment(say!(
            "the unit '{shown}' cannot be written: {e}; call it with sudo, or with --user for your own services",
            "no se puede escribir la unidad '{shown}': {e}; llámelo con sudo, o con --user para sus propios servicios"
        ))
    })?;
    verify(&text);
    output::line(say!("{shown} is written", "{shown} está escrito"))?;
    output::line(next_steps(args.user, unit.config.is_some()))?;
    Ok(0)
}

fn next_steps(user: bool, has_config: bool) -> celaje_sky::text::Text {
    let (call, log) = if user {
        ("systemctl --user", "journalctl --user")
    } else {
        ("systemctl", "journalctl")
    };
    let linger = if user {
        "\n  loginctl enable-linger"
    } else {
        ""
    };
    let settings = match (has_config, user) {
        (true, _) => "",
        (false, true) => "~/.config/celaje/celaje.toml",
        (false, false) => "/etc/celaje/celaje.toml",
    };
    let (first, primero) = if settings.is_empty() {
        (String::new(), String::new())
    } else {
        (
            format!(
                "\n  (settings: {settings}, then --config {settings} here; none are needed to begin)"
            ),
            format!(
                "\n  (ajustes: {settings}, y luego --config {settings} aquí; para empezar no hacen falta)"
            ),
        )
    };
    say!(
        "Next:{first}\n  {call} daemon-reload\n  {call} enable --now celaje{linger}\n  {log} -u celaje -f\nAfter a change of the settings: {call} reload celaje",
        "Siga con:{primero}\n  {call} daemon-reload\n  {call} enable --now celaje{linger}\n  {log} -u celaje -f\nTras cambiar los ajustes: {call} reload celaje"
    )
}

fn uninstall(user: bool) -> Result<u8> {
    let path = folder(user)?.join(NAME);
    let shown = path.display();
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::usage(say!(
                "there is no unit '{shown}'; with --user, or without, it may lie elsewhere",
                "no hay una unidad '{shown}'; con --user, o sin él, puede estar en otra parte"
            )));
        }
        Err(e) => {
            return Err(Failure::environment(say!(
                "the unit '{shown}' cannot be removed: {e}; call it with sudo",
                "no se puede borrar la unidad '{shown}': {e}; llámelo con sudo"
            )));
        }
    }
    let call = if user {
        "systemctl --user"
    } else {
        "systemctl"
    };
    output::line(say!(
        "{shown} is removed; the record stays. To end what still runs: {call} stop celaje && {call} daemon-reload",
        "{shown} está borrado; el registro queda. Para terminar lo que aún corre: {call} stop celaje && {call} daemon-reload"
    ))?;
    Ok(0)
}

fn unit(args: &ServiceInstall, config: Option<&Path>) -> Result<Unit> {
    let here = |path: &Path| std::path::absolute(path);
    let cannot = |e: std::io::Error| {
        Failure::environment(say!(
            "a path cannot be found out: {e}",
            "no se puede averiguar una ruta: {e}"
        ))
    };
    let flags = Layer {
        db: args.db.clone(),
        ..Layer::default()
    };
    // What the settings say has to hold before a service is made of it.
    let settings = Settings::read(flags, config)?;
    let db = match (&args.db, config) {
        (None, None) => None,
        _ if settings.db == Path::new(crate::settings::DEFAULT_DB) => None,
        _ => Some(here(&settings.db).map_err(cannot)?),
    };
    let run_as = match (&db, args.user) {
        (Some(db), false) => Some(owner(db)?),
        _ => None,
    };
    // One that lies in a folder of the system is found by itself.
    let beside_a_home = |path: &PathBuf| !path.starts_with("/root") && !path.starts_with("/home");
    let ort_lib = Search::from_environment(settings.ort_lib.as_deref())
        .candidates()
        .into_iter()
        .map(|candidate| candidate.path)
        .find(|path| args.user || beside_a_home(path));
    Ok(Unit {
        program: std::env::current_exe().map_err(cannot)?,
        config: config.map(here).transpose().map_err(cannot)?,
        db,
        ort_lib,
        listen: args.listen.map(|listen| listen.to_string()),
        user_manager: args.user,
        run_as,
    })
}

/// The user that the folder of a database belongs to.
#[cfg(unix)]
fn owner(db: &Path) -> Result<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let folder = db.parent().unwrap_or(Path::new("/"));
    let shown = folder.display();
    let owner = std::fs::metadata(folder).map(|found| found.uid());
    if let Ok(0) = owner {
        return Err(Failure::usage(say!(
            "the folder '{shown}' of the database belongs to root, and the service is not to run as root; give it to a user (chown) or leave --db out",
            "la carpeta '{shown}' de la base de datos es de root, y el servicio no debe correr como root; désela a un usuario (chown) u omita --db"
        )));
    }
    owner.map_err(|e| {
        Failure::usage(say!(
            "the folder '{shown}' of the database cannot be used: {e}; make it first",
            "la carpeta '{shown}' de la base de datos no sirve: {e}; créela primero"
        ))
    })
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Result<u32> {
    Err(no_systemd())
}

fn folder(user: bool) -> Result<PathBuf> {
    if !cfg!(target_os = "linux") {
        return Err(no_systemd());
    }
    if !user {
        return Ok(PathBuf::from("/etc/systemd/system"));
    }
    use etcetera::BaseStrategy as _;
    etcetera::choose_base_strategy()
        .map(|base| base.config_dir().join("systemd/user"))
        .map_err(|e| {
            Failure::environment(say!(
                "the user's configuration folder is not known: {e}",
                "no se conoce la carpeta de configuración del usuario: {e}"
            ))
        })
}

fn no_systemd() -> Failure {
    Failure::environment(say!(
        "services are made for systemd, on Linux; elsewhere have `celaje serve` started by what this system has for that",
        "los servicios se hacen para systemd, en Linux; en otro sistema haga que `celaje serve` arranque con lo que este tenga para eso"
    ))
}

/// Has systemd look at the unit, where it is at hand; what it finds is told, and no error.
fn verify(text: &str) {
    let look = || -> std::io::Result<Option<String>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(NAME);
        std::fs::write(&path, text)?;
        let told = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&path)
            .output()?;
        let text = String::from_utf8_lossy(&told.stderr);
        let ours: Vec<&str> = text.lines().filter(|line| line.contains(NAME)).collect();
        Ok((!ours.is_empty()).then(|| ours.join("\n")))
    };
    match look() {
        Ok(Some(found)) => output::note(say!(
            "systemd says of it:\n{found}",
            "systemd dice de esto:\n{found}"
        )),
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "systemd-analyze is not at hand"),
    }
}
