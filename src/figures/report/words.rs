//! The sentences of a report.

use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// How the record is made, a paragraph each.
pub(super) fn method(has_lens: bool) -> Vec<Text> {
    let mut said = vec![say!(
        "A neural network marks each cell of a picture as cloud, as sky, or as neither of them. \
         The cloud fraction is the share of cloud in the sky that is seen. The okta is that \
         fraction in eighths by the rules of the World Meteorological Organization: any trace of \
         cloud gives at least 1, any gap at most 7; 0 is up to 1 % of cloud, 8 from 99 % on.",
        "Una red neuronal marca cada celda de la imagen como nube, como cielo o como ninguna de \
         las dos cosas. La fracción nubosa es la parte de nube del cielo que se ve. La octa es esa \
         fracción en octavos, según las reglas de la Organización Meteorológica Mundial: cualquier \
         rastro de nube da al menos 1, cualquier claro da a lo sumo 7; 0 es hasta 1 % de nube, 8 \
         desde 99 %."
    )];
    said.push(match has_lens {
        true => say!(
            "The lens of the camera is known: each place of a picture counts by the solid angle \
             that it shows, up to 80° from the zenith.",
            "Se conoce el lente de la cámara: cada lugar de la imagen cuenta por el ángulo sólido \
             que muestra, hasta 80° del cenit."
        ),
        false => say!(
            "The lens of the camera is not known: shares are of the picture's area, not of the \
             sky's.",
            "No se conoce el lente de la cámara: las proporciones son del área de la imagen, no de \
             la del cielo."
        ),
    });
    said.push(say!(
        "Where a picture does not show the sky (drops, snow, darkness, a covered lens) no amount \
         is guessed: its code is 9, and it is in no mean. Times are those of the station's clock. \
         The clear share is that of the readings of 0 or 1 okta among those that have an amount.",
        "Si la imagen no muestra el cielo (gotas, nieve, oscuridad, el lente tapado) no se adivina \
         ningún valor: su código es 9 y no entra en ninguna media. Las horas son las del reloj de \
         la estación. La parte despejada es la de las lecturas de 0 o 1 octa entre las que tienen \
         un valor."
    ));
    said.push(say!(
        "Dark hours have the sun more than 18° below the horizon and the moon below it. Usable are \
         those of 0 or 1 okta; slots without a reading count by the share of those with one. The \
         95 % interval follows from the spread between nights and covers the slots without a \
         reading alone: where each dark slot has one, it is a point. It tells neither how wrong \
         readings may be nor how other years are. A night belongs to the month in which it begins. \
         A year's hours follow from all its nights together: they are not the sum of its months. \
         Months are compared where they are whole and half of their dark hours were read; the \
         others are dashed.",
        "Son horas oscuras las que tienen el sol más de 18° bajo el horizonte y la luna bajo él. \
         Son aprovechables las de 0 o 1 octa; los turnos sin lectura cuentan según la proporción \
         de los que la tienen. El intervalo del 95 % resulta de la variación entre noches y \
         responde solo por los turnos sin lectura: donde cada turno oscuro tiene la suya, es un \
         punto. No dice cuánto pueden errar las lecturas ni cómo son otros años. Una noche \
         pertenece al mes en que empieza. Las horas de un año resultan de todas sus noches \
         juntas: no son la suma de sus meses. Se comparan los meses enteros con la mitad de sus \
         horas oscuras leída; los demás van con línea de rayas."
    ));
    said
}

/// Why a slot has no reading; the stored name where it is no reason of this program.
pub(super) fn reason(lang: Lang, name: &str) -> String {
    let Some(reason) = MissReason::parse(name) else {
        return name.to_owned();
    };
    let text = match reason {
        MissReason::NotFound => say!("was not on the camera", "no estaba en la cámara"),
        MissReason::Stale => {
            say!("the camera had no new picture", "la cámara no tenía una imagen nueva")
        }
        MissReason::HttpStatus => say!("the server refused it", "el servidor la rechazó"),
        MissReason::Timeout => say!("did not arrive in time", "no llegó a tiempo"),
        MissReason::Unreachable => {
            say!("no connection to the camera", "sin conexión con la cámara")
        }
        MissReason::Reset => say!("the connection was cut", "se cortó la conexión"),
        MissReason::TooLarge => say!("too many bytes", "demasiados bytes"),
        MissReason::RedirectRefused => say!("redirect refused", "redirección rechazada"),
        MissReason::Unreadable => say!("the file cannot be read", "el archivo no se puede leer"),
        MissReason::Empty => say!("empty file", "archivo vacío"),
        MissReason::NotAnImage => say!("not a picture", "no es una imagen"),
        MissReason::Truncated => say!("incomplete picture", "imagen incompleta"),
        MissReason::Corrupt => say!("damaged picture", "imagen dañada"),
        MissReason::TooManyPixels => say!("too many pixels", "demasiados píxeles"),
        MissReason::Model => say!("the model failed", "el modelo falló"),
        MissReason::Poison => say!("crashed the program", "hizo caer al programa"),
    };
    text.get(lang).to_owned()
}
