//! The help texts in Spanish.
//!
//! The English ones are the doc comments of the command-line types; these take their place when
//! the language is Spanish. A test sees to it that none is missing. What clap itself writes about a
//! flag (its values, its default, its variable) is put into the text, in Spanish too.

use clap::builder::Str;
use clap::{Arg, Command};

const COMMANDS: &[(&str, &str)] = &[
    (
        "celaje",
        "Convierte una cámara de cielo en un registro fiable de nubosidad.",
    ),
    (
        "backfill",
        "Descarga, clasifica y guarda las imágenes de un rango de tiempo",
    ),
    (
        "predict",
        "Juzga archivos de imagen; no toca ninguna base de datos",
    ),
    ("evaluate", "Mide un modelo sobre imágenes etiquetadas"),
    (
        "serve",
        "Vigila las cámaras, llena el registro a medida que llegan imágenes y lo muestra por HTTP",
    ),
    (
        "service",
        "Hace que systemd mantenga en marcha `celaje serve`",
    ),
    (
        "service.install",
        "Escribe una unidad de systemd que mantiene en marcha `celaje serve`, y dice cómo seguir",
    ),
    ("uninstall", "Borra la unidad; el registro queda"),
    (
        "simulate",
        "Sirve imágenes dibujadas de una cámara de cielo, en la propia máquina",
    ),
    (
        "demo",
        "Muestra el programa entero en acción con imágenes dibujadas",
    ),
    (
        "bench",
        "Mide cada etapa, toda la cadena y cuánto se acerca a lo que la máquina puede dar",
    ),
    (
        "bench-camera",
        "La cámara de una prueba, en un proceso propio",
    ),
    (
        "doctor",
        "Revisa motor, modelo, base de datos y cámara, y dice qué hacer con cada uno",
    ),
    (
        "db",
        "Cuida la base de datos: la copia, la revisa, la compacta, lista lo que falta",
    ),
    (
        "backup",
        "Copia la base en un archivo, también mientras una corrida escribe en ella, y verifica la copia",
    ),
    (
        "check",
        "Revisa el archivo y todo lo que debe cumplirse en sus filas; estado 1 si algo no se cumple",
    ),
    (
        "vacuum",
        "Compacta el archivo; mientras tanto ninguna corrida puede escribir en él",
    ),
    ("export-misses", "Lista los turnos sin lectura, y por qué"),
    (
        "status",
        "Muestra qué está haciendo el programa: su corrida, sus actores, reinicios y últimos errores",
    ),
    (
        "runtime",
        "Instala o busca la biblioteca del motor de inferencia",
    ),
    (
        "install",
        "Descarga el ONNX Runtime fijado, lo verifica y lo guarda en la caché del usuario",
    ),
    ("path", "Muestra la ruta de la biblioteca que se usaría"),
    (
        "list",
        "Enumera las bibliotecas que se hallan; * señala la que se usaría",
    ),
    (
        "completions",
        "Escribe un guion de autocompletado para un intérprete de órdenes",
    ),
    ("help", "Muestra esta ayuda o la de una orden"),
];

/// By the flag's id, or by command and id where the id means another thing elsewhere.
const ARGS: &[(&str, &str)] = &[
    ("help", "Muestra esta ayuda"),
    (
        "version",
        "Muestra la versión, su commit y los motores de inferencia",
    ),
    (
        "config",
        "Archivo de ajustes [por omisión: ./celaje.toml, luego la carpeta de configuración del usuario]",
    ),
    (
        "lang",
        "Idioma de los mensajes [por omisión: el del entorno]",
    ),
    (
        "log",
        "Qué se anota en stderr: off, error, warn, info, debug, trace, o un filtro como celaje=debug",
    ),
    (
        "station",
        "Estación, por su id en celaje.toml [por omisión: la primera que nombra, o rio-grande]",
    ),
    (
        "predict.station",
        "Juzga la región de interés de esta estación en vez de la imagen entera",
    ),
    (
        "simulate.station",
        "Estación cuyo sol, reloj y nombre se dibujan [por omisión: la primera de celaje.toml, o rio-grande]",
    ),
    (
        "url_base",
        "Dirección base de las imágenes [por omisión: la de la estación]",
    ),
    (
        "layout",
        "Dónde están las imágenes de un año bajo la base: auto lo averigua por año, year en BASE/AAAA/, root en BASE/ [por omisión: auto]",
    ),
    (
        "simulate.layout",
        "Dónde se sirven las imágenes: en una carpeta por año (year), en la raíz (root) o en ambas (both)",
    ),
    (
        "lens",
        "Qué hay sobre el objetivo: nada (clean), gotas (drops), rocío (dew), nieve (snow) o de todo un poco (mixed)",
    ),
    (
        "glare",
        "Deslumbramiento del sol en el objetivo: ninguno (none), fuerte (strong) o a ratos (mixed)",
    ),
    (
        "haze",
        "Bruma que vuelve lechoso el horizonte: ninguna (none), fuerte (strong) o a ratos (mixed)",
    ),
    (
        "lights",
        "Luces bajo el cielo nocturno: un pueblo lejano (faint), ninguna (none), una ciudad alrededor (town) u otra cosa cada noche (mixed)",
    ),
    (
        "colour",
        "Tipo de sensor: de color (rgb) o de grises, estirados de noche (mono)",
    ),
    (
        "fault",
        "Qué le ha pasado a la cámara: nada (none), un cartel (placeholder), la imagen anterior repetida (frozen), negro (dark), quemada (overexposed) o de todo un poco (mixed)",
    ),
    (
        "db",
        "Archivo de la base de datos [por omisión: registros-octas.db]",
    ),
    (
        "concurrency",
        "Peticiones simultáneas al servidor, siempre las mismas [por omisión: su número se adapta a lo que acepta]",
    ),
    (
        "max_concurrency",
        "Peticiones simultáneas al servidor como máximo, cuando su número se adapta [por omisión: 256]",
    ),
    (
        "max_rps",
        "Peticiones que pueden empezar por segundo [por omisión: las que vengan]",
    ),
    (
        "batch",
        "Imágenes de un lote completo [por omisión: 1; 64 en una placa]",
    ),
    (
        "timeout",
        "Segundos que puede tardar una imagen entera [por omisión: 60]",
    ),
    (
        "max_bytes",
        "Bytes de una imagen como máximo [por omisión: 20000000]",
    ),
    (
        "model",
        "Modelo ONNX, con su manifiesto ARCHIVO.toml al lado, o uno incluido: celaje-4 (por omisión) o celaje-4-fp32",
    ),
    (
        "ort_lib",
        "Biblioteca compartida de ONNX Runtime [por omisión: se busca]",
    ),
    (
        "engine",
        "Motor de inferencia: auto toma ONNX Runtime si halla su biblioteca y acepta el modelo, si no rten, que viene incluido [por omisión: auto]",
    ),
    (
        "device",
        "Dónde corre el motor: auto toma CUDA si está compilado y funciona, si no el procesador [por omisión: auto]",
    ),
    (
        "threads",
        "Sesiones de inferencia, e hilos que decodifican [por omisión: el número de núcleos]",
    ),
    (
        "session_threads",
        "Hilos con los que calcula cada sesión [por omisión: 1]",
    ),
    (
        "desde",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha por su primer minuto",
    ),
    (
        "hasta",
        "Último minuto, incluido: AAAA-MM-DDTHH:MM, o una fecha por su último minuto",
    ),
    (
        "bench.dir",
        "Carpeta de imágenes con que medir, a lo sumo 400 [por omisión: dibujadas]",
    ),
    ("bench.size", "Tamaño de las imágenes dibujadas"),
    (
        "bench.scene",
        "Qué mira la cámara de las imágenes dibujadas",
    ),
    ("count", "Imágenes de una ronda"),
    ("rounds", "Rondas; cuenta la del medio"),
    (
        "latency",
        "Milisegundos antes de cada respuesta de la cámara",
    ),
    (
        "bandwidth",
        "Megabits por segundo que lleva la línea a la cámara [por omisión: los que pasen]",
    ),
    ("bench.json", "Escribe un objeto JSON en vez de texto"),
    ("bench.plot", "Dibuja las cifras en este archivo PNG"),
    ("folder", "Carpeta de las imágenes"),
    (
        "dir",
        "Toma las imágenes de esta carpeta en vez de la cámara",
    ),
    (
        "retry_missed",
        "Pide de nuevo las imágenes que una corrida anterior no halló o no pudo leer",
    ),
    (
        "reprocess",
        "Clasifica otra vez con el modelo actual los turnos ya guardados",
    ),
    ("json", "Escribe un objeto JSON en vez de texto"),
    ("backfill.json", "Escribe un objeto JSON como última línea"),
    ("predict.json", "Escribe un objeto JSON por imagen"),
    (
        "stats",
        "Cuenta en stderr qué pasó por cada actor, y cuánto esperó y tardó allí",
    ),
    (
        "quiet",
        "Sin progreso ni avisos; con --json, tampoco la línea de resumen",
    ),
    ("paths", "Archivos de imagen, o carpetas con ellos"),
    (
        "frames",
        "Escribe en esta carpeta, como PNG, lo que recibe la red: recortado y reducido",
    ),
    (
        "overlay",
        "Escribe en esta carpeta imágenes con la máscara encima",
    ),
    (
        "labels",
        "Tabla de etiquetas (columnas image, okta o cloud_fraction, mask, group, camera), o una carpeta con carpetas …octa_0 a …octa_8",
    ),
    (
        "group",
        "Solo este grupo de imágenes; varias veces, o con comas entre ellos",
    ),
    (
        "evaluate.out",
        "Escribe en este archivo CSV una fila por imagen",
    ),
    (
        "plot",
        "Dibuja en esta carpeta la matriz de confusión y el diagrama de confiabilidad",
    ),
    (
        "against",
        "Compara con las lecturas de este archivo CSV, imagen por imagen; estado 1 si difieren",
    ),
    ("evaluate.quiet", "Sin progreso ni avisos"),
    (
        "evaluate.station",
        "Juzga la región de interés de esta estación en vez de la imagen entera",
    ),
    (
        "read_only",
        "Solo muestra el registro: no descarga ni escribe nada",
    ),
    ("listen", "Dirección y puerto en que escucha"),
    (
        "host",
        "Un nombre con el que se puede preguntar al servidor, además de los de la propia máquina y la dirección; varias veces, o separados por comas",
    ),
    (
        "allow_origin",
        "Servidor cuyas páginas pueden leer /octas, /historial e /imagen (`https://example.org`), o * para cualquiera; varias veces, o separados por comas",
    ),
    (
        "shadow_model",
        "Un segundo modelo que juzga las mismas imágenes, solo para comparar",
    ),
    (
        "catch_up",
        "Hasta dónde hacia atrás se llena lo que falta: 7d, 36h, 90m, 0 para nada [por omisión: 7d]",
    ),
    (
        "clock",
        "Para pruebas: la hora que es al empezar, y a qué ritmo pasa (2024-03-01T15:02:30Z@60)",
    ),
    (
        "user",
        "La unidad de sus propios servicios, no de los del sistema",
    ),
    ("dry_run", "Muestra la unidad en vez de escribirla"),
    (
        "install.db",
        "Archivo de base de datos [por omisión: el de los ajustes, o uno en la carpeta del servicio]",
    ),
    (
        "install.listen",
        "Dirección y puerto en que escucha el servicio [por omisión: 127.0.0.1:8080]",
    ),
    (
        "token_file",
        "Archivo con el token que inicia y cancela backfills por la API [por omisión: CELAJE_TOKEN; sin token, nadie puede]",
    ),
    ("port", "Puerto en que escucha; 0 toma uno libre"),
    ("bind", "Dirección en que escucha"),
    (
        "from",
        "Primer minuto con imágenes [por omisión: todas hasta ahora]",
    ),
    ("to", "Último minuto con imágenes"),
    (
        "export-misses.from",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha [por omisión: el primero de todos]",
    ),
    (
        "export-misses.to",
        "Último minuto, incluido [por omisión: el último de todos]",
    ),
    (
        "export-misses.station",
        "Solo los de esta estación [por omisión: todos los de la base]",
    ),
    (
        "csv",
        "Escribe una tabla en este archivo CSV; - es la salida normal, y el valor por omisión",
    ),
    (
        "jsonl",
        "Escribe en este archivo un objeto JSON por línea; - es la salida normal",
    ),
    ("file", "La copia"),
    ("backup.force", "Reemplaza el archivo si ya existe"),
    (
        "scene",
        "Qué mira la cámara: landscape es un objetivo común hacia el ecuador, con el horizonte abajo; fisheye, un ojo de pez hacia el cenit",
    ),
    ("size", "Tamaño de las imágenes"),
    ("seed", "Semilla del tiempo: otro número, otro cielo"),
    (
        "once",
        "Termina tras el resumen en vez de mostrar el tablero de lo registrado",
    ),
    ("days", "Días que registra; el último es ayer"),
    (
        "out",
        "Carpeta para la base y el gráfico de la demostración",
    ),
    (
        "source",
        "Un paquete wheel o una biblioteca de este disco, en vez del índice de paquetes",
    ),
    ("force", "También cuando ya hay una instalada"),
    ("shell", "El intérprete de órdenes"),
];

/// What stands for a value.
const VALUES: &[(&str, &str)] = &[
    ("FILE", "ARCHIVO"),
    ("FOLDER", "CARPETA"),
    ("DIR", "CARPETA"),
    ("FILE|DIR", "ARCHIVO|CARPETA"),
    ("LABELS.csv|DIR", "ETIQUETAS.csv|CARPETA"),
    ("NAME", "NOMBRE"),
    ("LANG", "IDIOMA"),
    ("FILTER", "FILTRO"),
    ("LAYOUT", "DISPOSICIÓN"),
    ("SECONDS", "SEGUNDOS"),
    ("ENGINE", "MOTOR"),
    ("DEVICE", "DISPOSITIVO"),
    ("TIME", "HORA"),
    ("SPAN", "LAPSO"),
    ("PORT", "PUERTO"),
    ("ADDRESS", "DIRECCIÓN"),
    ("ADDRESS:PORT", "DIRECCIÓN:PUERTO"),
    ("SCENE", "ESCENA"),
    ("WxH", "ANxAL"),
    ("SHELL", "INTÉRPRETE"),
    ("COMMAND", "ORDEN"),
];

/// Flags that every command has.
const GLOBAL: [&str; 3] = ["config", "lang", "log"];

fn find<'a>(table: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    table
        .iter()
        .find(|(id, _)| *id == name)
        .map(|(_, text)| *text)
}

/// `command` with its help in Spanish.
pub fn localize(mut command: Command) -> Command {
    // Built first, so that clap's own help flag and help command are there to be translated.
    command.build();
    translate("", command)
}

fn translate(parent: &str, command: Command) -> Command {
    let name = command.get_name().to_owned();
    let mut command = command
        .subcommand_help_heading("Órdenes")
        .subcommand_value_name("ORDEN")
        .help_template("{about-with-newline}\nUso: {usage}\n\n{all-args}")
        .mut_args(|arg| argument(&name, arg))
        .mut_subcommands(|below| translate(&name, below));
    let text = find(COMMANDS, &format!("{parent}.{name}")).or_else(|| find(COMMANDS, &name));
    if let Some(text) = text {
        command = command.about(text).long_about(None);
    }
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let usage = usage
        .replace("[OPTIONS]", "[OPCIONES]")
        .replace("[COMMAND]", "[ORDEN]");
    command.override_usage(usage)
}

fn argument(command: &str, arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    let heading = if arg.is_positional() {
        "Argumentos"
    } else if GLOBAL.contains(&id.as_str()) {
        "Opciones generales"
    } else {
        "Opciones"
    };
    let mut arg = arg.help_heading(heading);
    let text = find(ARGS, &format!("{command}.{id}")).or_else(|| find(ARGS, &id));
    let Some(text) = text else { return arg };
    let mut notes = String::from(text);
    let mut note = |what: &str, list: Vec<String>| {
        if !list.is_empty() {
            notes.push_str(&format!(" [{what}: {}]", list.join(", ")));
        }
    };
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        note(
            "valores",
            values.iter().map(|v| v.get_name().to_owned()).collect(),
        );
        let defaults = arg.get_default_values().iter();
        note(
            "por omisión",
            defaults.map(|v| v.to_string_lossy().into()).collect(),
        );
        let names = arg.get_value_names().unwrap_or_default();
        let names: Vec<_> = names
            .iter()
            .map(|name| find(VALUES, name).map_or_else(|| name.clone(), Str::from))
            .collect();
        if !names.is_empty() {
            arg = arg.value_names(names);
        }
    }
    let variable = arg.get_env().map(|name| name.to_string_lossy().into());
    note("entorno", variable.into_iter().collect());
    arg.help(notes)
        .long_help(None::<&str>)
        .hide_possible_values(true)
        .hide_default_value(true)
        .hide_env(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn check(command: &Command) {
        let name = command.get_name();
        assert!(
            find(COMMANDS, name).is_some(),
            "no Spanish text for the command '{name}'"
        );
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            assert!(
                find(ARGS, id).is_some(),
                "no Spanish text for '{id}' of '{name}'"
            );
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_command_and_flag_has_a_spanish_text() {
        check(&crate::cli::Cli::command());
    }

    #[test]
    fn no_text_is_left_over() {
        fn names(command: &Command, into: &mut Vec<String>) {
            let name = command.get_name();
            into.push(name.to_owned());
            let below = command.get_subcommands().map(Command::get_name);
            into.extend(below.map(|below| format!("{name}.{below}")));
            for arg in command.get_arguments() {
                into.push(arg.get_id().to_string());
                into.push(format!("{name}.{}", arg.get_id()));
            }
            command.get_subcommands().for_each(|c| names(c, into));
        }
        let mut known = vec!["help".to_owned()];
        names(&crate::cli::Cli::command(), &mut known);
        for (name, _) in COMMANDS.iter().chain(ARGS) {
            assert!(known.iter().any(|k| k == name), "nothing is called {name}");
        }
    }

    #[test]
    fn the_spanish_help_is_spanish() {
        fn check(mut command: Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Uso: celaje"), "{help}");
            for english in [
                "Print", "Usage", "OPTIONS", "Options", "Commands", "Possible", "default:", "env:",
                "<FILE", "<TIME", "This ", " the ",
            ] {
                assert!(!help.contains(english), "'{english}' in:\n{help}");
            }
            for subcommand in command.get_subcommands() {
                check(subcommand.clone());
            }
        }
        check(localize(crate::cli::Cli::command()));
    }

    #[test]
    fn translated_commands_parse_as_the_english_ones() {
        let line = [
            "celaje",
            "backfill",
            "--from",
            "2024-01-01",
            "--to",
            "2024-01-02",
            "--layout",
            "year",
            "--json",
            "--log",
            "info",
        ];
        let matches = localize(crate::cli::Cli::command())
            .try_get_matches_from(line)
            .unwrap();
        assert_eq!(matches.subcommand_name(), Some("backfill"));
        let help = localize(crate::cli::Cli::command())
            .try_get_matches_from(["celaje", "help", "backfill"])
            .unwrap_err();
        assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
        assert!(help.to_string().contains("Uso: celaje backfill"), "{help}");
    }
}
