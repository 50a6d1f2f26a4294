//! What stands between Celaje and a camera until a person mends it.

use chrono::{DateTime, TimeDelta, Utc};

use celaje_sky::say;
use celaje_sky::text::Text;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessFault {
    /// The camera at this address answers 401, and there is no user for it.
    PasswordMissing(String),
    /// 401, although user and password were given.
    PasswordWrong(String),
    /// 401 with schemes that are not known.
    LoginUnknown(String),
    /// 403.
    Forbidden(String),
    /// A status that says that the server itself failed.
    ServerFailed(String, u16),
    /// The camera's certificate is not trusted.
    Certificate,
    /// The camera answers without TLS where it was asked by https.
    NoTls,
    /// The proxy cannot be reached, or does not pass the request on.
    Proxy,
    /// 403 by way of a proxy, of which it may be.
    ProxyForbidden,
    /// 407, or its like of SOCKS.
    ProxyPassword,
    /// Another host is named in place of the camera's, or the network asks for a login (511).
    Elsewhere,
    /// A video without end in place of a picture; its type in brackets, where it has one.
    Stream(String),
    /// A body packed in a way that was not asked for and is not read.
    Packed,
    /// This bucket may not be read.
    BucketClosed(String),
    /// What is in this folder may not be read, and why.
    FolderClosed(String, Text),
    /// There is no such folder.
    FolderMissing(String),
    /// There is nothing in this folder.
    FolderEmpty(String),
    /// The answer at this address is no list of files.
    ListUnknown(String),
    /// Files such as the first are not named as the second says, and no others are there.
    OtherNames(String, String),
    /// The camera's newest picture is of another time than now.
    ClockDiffers {
        /// The name that says so; without one, what is written in the picture does.
        name: Option<String>,
        /// What it says.
        taken: DateTime<Utc>,
        /// When it was found.
        now: DateTime<Utc>,
    },
    /// The camera's clock was set back between two pictures.
    ClockJumped {
        /// The name of the last picture before that.
        before: String,
        /// The name of the first one after it.
        after: String,
        /// How much earlier that one is by its name.
        back: TimeDelta,
    },
}

/// An amount of time for a person, in either language.
fn amount(time: TimeDelta) -> String {
    let (days, hours, minutes) = (time.num_days(), time.num_hours() % 24, time.num_minutes() % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

impl AccessFault {
    /// Whether no picture can be looked for because of it, though the place can be reached.
    pub const fn hides_all(&self) -> bool {
        matches!(
            self,
            Self::FolderClosed(..)
                | Self::FolderMissing(_)
                | Self::ListUnknown(_)
                | Self::OtherNames(..)
        )
    }

    /// Whether it is of the camera's clock: to be told even of a camera that gives no picture.
    pub const fn is_of_clock(&self) -> bool {
        matches!(self, Self::ClockDiffers { .. } | Self::ClockJumped { .. })
    }

    /// Whether its text leaves out what the detail of a refusal says.
    pub const fn needs_detail(&self) -> bool {
        matches!(
            self,
            Self::Certificate
                | Self::NoTls
                | Self::Proxy
                | Self::ProxyForbidden
                | Self::ProxyPassword
                | Self::Elsewhere
                | Self::Packed
        )
    }

    /// Whether it may be of one picture: many servers answer 403, fail, or name a page
    /// elsewhere, for a picture that they do not have.
    pub const fn may_be_of_one_picture(&self) -> bool {
        matches!(
            self,
            Self::Forbidden(_)
                | Self::BucketClosed(_)
                | Self::ProxyForbidden
                | Self::Elsewhere
                | Self::ServerFailed(..)
        )
    }

    /// What it is and what to do, as a clause.
    pub fn text(&self) -> Text {
        match self {
            Self::PasswordMissing(place) => say!(
                "the camera at {place} asks for a user and a password (401); write them as auth \
                into [station.source], auth = {{ user = \"…\", password_file = \"…\" }}, or into \
                the address, http://user:password@host/, with %40 for an @ in them",
                "la cámara en {place} pide usuario y contraseña (401); escríbalos como auth en \
                [station.source], auth = {{ user = \"…\", password_file = \"…\" }}, o en la \
                dirección, http://usuario:clave@servidor/, con %40 en lugar de una @ en ellos"
            ),
            Self::PasswordWrong(place) => say!(
                "the camera at {place} does not accept this user and password (401); check them \
                in auth of [station.source], or in the address",
                "la cámara en {place} no acepta este usuario y contraseña (401); revíselos en auth \
                de [station.source], o en la dirección"
            ),
            Self::LoginUnknown(place) => say!(
                "the camera at {place} asks for a login of a kind that Celaje does not know \
                (401); set Basic or Digest in the camera",
                "la cámara en {place} pide un acceso de un tipo que Celaje no conoce (401); elija \
                Basic o Digest en la cámara"
            ),
            Self::Forbidden(place) => say!(
                "the camera at {place} refuses (403); check that its user may see pictures, that \
                it admits this machine, and the path of the address",
                "la cámara en {place} se niega (403); revise que su usuario pueda ver imágenes, \
                que admita a esta máquina, y la ruta de la dirección"
            ),
            Self::ServerFailed(place, status) => say!(
                "the server at {place} answers {status}, a fault of its own; look into its log, \
                and check url in [station.source], or --url-base",
                "el servidor en {place} responde {status}, una falla suya; mire su registro, y \
                revise url en [station.source], o --url-base"
            ),
            Self::BucketClosed(place) => say!(
                "the bucket at {place} refuses; give a key that may read and list it, as \
                AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment; without a key \
                only public buckets are read",
                "el depósito en {place} se niega; dé una clave que pueda leerlo y listarlo, en \
                AWS_ACCESS_KEY_ID y AWS_SECRET_ACCESS_KEY del entorno; sin clave solo se leen \
                depósitos públicos"
            ),
            Self::Certificate => say!(
                "the camera's certificate is not trusted; name a file with it, or with that of \
                its authority, as --ca-file (ca_file in celaje.toml), or do without the check \
                with --insecure",
                "el certificado de la cámara no es de confianza; indique un archivo con él, o con \
                el de su autoridad, como --ca-file (ca_file en celaje.toml), o prescinda del \
                control con --insecure"
            ),
            Self::NoTls => say!(
                "the camera answers without TLS; write http:// in place of https:// into its \
                address, or the port at which it speaks https",
                "la cámara responde sin TLS; escriba http:// en vez de https:// en su dirección, o \
                el puerto en que habla https"
            ),
            Self::Proxy => say!(
                "the proxy cannot be reached or does not pass the request on; check http_proxy, \
                https_proxy, all_proxy and no_proxy in the environment",
                "no se llega al proxy, o no pasa el pedido; revise http_proxy, https_proxy, \
                all_proxy y no_proxy en el entorno"
            ),
            Self::ProxyPassword => say!(
                "the proxy asks for a user and a password, or for others than these; write them \
                into http_proxy, https_proxy or all_proxy, http://user:password@proxy:port",
                "el proxy pide usuario y contraseña, u otros que estos; escríbalos en http_proxy, \
                https_proxy o all_proxy, http://usuario:clave@proxy:puerto"
            ),
            Self::ProxyForbidden => say!(
                "the proxy, or the camera behind it, refuses (403); check that the proxy lets this \
                machine ask the camera, or name the camera in no_proxy",
                "el proxy, o la cámara detrás de él, se niega (403); revise que el proxy le \
                permita a esta máquina llegar a la cámara, o nómbrela en no_proxy"
            ),
            Self::Elsewhere => say!(
                "the request is sent on to another host, as a network does that asks for a login \
                first; open the address in a browser and log in, or write the address that it \
                leads to",
                "el pedido se desvía a otro servidor, como hace una red que exige ingresar antes; \
                abra la dirección en un navegador e ingrese, o escriba la dirección a la que lleva"
            ),
            Self::Stream(kind) => say!(
                "the address gives a video stream{kind}; write that of a single picture",
                "la dirección da un video continuo{kind}; escriba la de una sola imagen"
            ),
            Self::Packed => say!(
                "the camera, or a proxy before it, packs pictures (Brotli or zstd) although nobody \
                asked for that; switch the compression of pictures off there, they get no smaller",
                "la cámara, o un proxy delante de ella, comprime las imágenes (Brotli o zstd) sin \
                que nadie lo pida; desactive allí la compresión de imágenes, que no las achica"
            ),
            Self::FolderClosed(folder, Text { en, es }) => say!(
                "what is in the folder '{folder}' cannot be read ({en}); let the user that runs \
                Celaje read it, or name another folder",
                "no se puede leer lo que hay en la carpeta '{folder}' ({es}); permita que la lea \
                el usuario con el que corre Celaje, o indique otra carpeta"
            ),
            Self::FolderMissing(folder) => say!(
                "there is no folder '{folder}'; check dir or url in [station.source], or --dir",
                "no existe la carpeta '{folder}'; revise dir o url en [station.source], o --dir"
            ),
            Self::FolderEmpty(folder) => say!(
                "the folder '{folder}' is empty; see that the camera writes there, or name another \
                folder",
                "la carpeta '{folder}' está vacía; vea que la cámara escriba allí, o indique otra \
                carpeta"
            ),
            Self::ListUnknown(url) => say!(
                "the answer at {url} is no list of files that Celaje knows; let the server list \
                its folders as Apache, nginx, lighttpd or Caddy do, or set another kind of source",
                "la respuesta en {url} no es una lista de archivos que Celaje conozca; haga que el \
                servidor liste sus carpetas como lo hacen Apache, nginx, lighttpd o Caddy, o \
                ponga otra clase de fuente"
            ),
            Self::OtherNames(file, names) => say!(
                "'{file}' is there, and no picture that is named as '{names}' says; set path or \
                preset in [station.source] to names of that form",
                "está '{file}', y ninguna imagen cuyo nombre sea como dice '{names}'; ponga en \
                path o preset de [station.source] nombres de esa forma"
            ),
            Self::ClockJumped { before, after, back } => {
                let back = amount(*back);
                say!(
                    "the camera's clock jumped back: '{after}' was written after '{before}', and \
                    is {back} older by its name; set the camera's clock if it is still wrong: what \
                    it took meanwhile bears names of other times",
                    "el reloj de la cámara saltó hacia atrás: '{after}' se escribió después de \
                    '{before}', y según su nombre es {back} anterior; ponga en hora la cámara si \
                    sigue mal: lo que tomó entretanto lleva nombres de otras horas"
                )
            }
            Self::ClockDiffers { name, taken, now } => {
                let off = amount((*taken - *now).abs());
                let (side, lado) = match taken > now {
                    true => ("ahead of", "después de"),
                    false => ("behind", "antes de"),
                };
                let form = "%Y-%m-%dT%H:%M:%SZ";
                let (taken, now) = (taken.format(form), now.format(form));
                match name {
                    Some(name) => say!(
                        "the camera's clock looks wrong or has jumped: its newest picture, \
                        '{name}', is of {taken} by its name, {off} {side} {now}; set the camera's \
                        clock, or clock and time_zone to what it shows",
                        "el reloj de la cámara parece mal, o saltó: su imagen más nueva, '{name}', \
                        es de {taken} según su nombre, {off} {lado} {now}; ponga en hora la \
                        cámara, o clock y time_zone según lo que marca"
                    ),
                    None => say!(
                        "the camera's clock looks wrong or has jumped: its newest picture is of \
                        {taken}, {off} {side} {now}; set the camera's clock, or clock and \
                        time_zone to what it shows, or time_from = \"fetch\"",
                        "el reloj de la cámara parece mal, o saltó: su imagen más nueva es de \
                        {taken}, {off} {lado} {now}; ponga en hora la cámara, o clock y time_zone \
                        según lo que marca, o time_from = \"fetch\""
                    ),
                }
            }
        }
    }
}
