//! The tables, as the migrations make them.
//!
//! `legacy_rows` and the view `registro_historico` are not here: only plain SQL uses them.

diesel::table! {
    stations (id) {
        id -> Text,
        name -> Text,
        latitude -> Double,
        longitude -> Double,
        time_zone -> Text,
        is_home -> Bool,
    }
}

diesel::table! {
    runs (id) {
        id -> BigInt,
        station -> Text,
        range_from -> Text,
        range_to -> Text,
        total -> BigInt,
        new -> BigInt,
        duplicates -> BigInt,
        missed -> BigInt,
        status -> Text,
        started_at -> Text,
        finished_at -> Nullable<Text>,
        version -> Text,
        engine -> Text,
        model -> Text,
        kind -> Text,
        uid -> Nullable<Text>,
    }
}

diesel::table! {
    shadow_observations (station, slot_local, model) {
        station -> Text,
        slot_local -> Text,
        model -> Text,
        model_sha256 -> Text,
        okta -> Integer,
        cloud_fraction -> Nullable<Double>,
        confidence -> Nullable<Double>,
        created_at -> Text,
    }
}

diesel::table! {
    observations (station, slot_local) {
        station -> Text,
        slot_local -> Text,
        slot_utc -> Nullable<Text>,
        file_name -> Text,
        url -> Nullable<Text>,
        okta -> Integer,
        cloud_fraction -> Nullable<Double>,
        confidence -> Nullable<Double>,
        category -> Nullable<Text>,
        description -> Nullable<Text>,
        quality -> Nullable<Text>,
        model -> Nullable<Text>,
        model_sha256 -> Nullable<Text>,
        solar_elevation -> Nullable<Double>,
        day_phase -> Nullable<Text>,
        image_width -> Nullable<Integer>,
        image_height -> Nullable<Integer>,
        image_sha256 -> Nullable<Text>,
        created_at -> Nullable<Text>,
        captured_at -> Nullable<Text>,
        origin -> Text,
        run_id -> Nullable<BigInt>,
        taken_at -> Nullable<Text>,
        picture_name -> Nullable<Text>,
        okta_low -> Nullable<Integer>,
        okta_high -> Nullable<Integer>,
        calibration_id -> Nullable<BigInt>,
        model_confidence -> Nullable<Double>,
        model_okta_low -> Nullable<Integer>,
        model_okta_high -> Nullable<Integer>,
        zenith_fraction -> Nullable<Double>,
        zones -> Nullable<Text>,
    }
}

diesel::table! {
    #[sql_name = "celaje_labels"]
    labels (station, slot_local, observer) {
        station -> Text,
        slot_local -> Text,
        observer -> Text,
        okta -> Nullable<Integer>,
        draw -> Text,
        image_sha256 -> Nullable<Text>,
        created_at -> Text,
    }
}

diesel::table! {
    #[sql_name = "celaje_calibrations"]
    calibrations (id) {
        id -> BigInt,
        station -> Text,
        model -> Text,
        model_sha256 -> Text,
        intercept -> Double,
        slope -> Double,
        widening -> Integer,
        labels -> BigInt,
        created_at -> Text,
    }
}

diesel::table! {
    misses (station, slot_local) {
        station -> Text,
        slot_local -> Text,
        slot_utc -> Text,
        reason -> Text,
        http_status -> Nullable<Integer>,
        attempts -> BigInt,
        detail -> Text,
        last_tried -> Text,
        run_id -> Nullable<BigInt>,
        source -> Text,
        layout -> Text,
        unasked -> Nullable<Text>,
    }
}

diesel::table! {
    year_layouts (station, year) {
        station -> Text,
        year -> Integer,
        layout -> Text,
        seen_at -> Text,
    }
}

diesel::table! {
    celaje_identity (only) {
        only -> Integer,
        id -> Text,
    }
}

diesel::table! {
    alert_states (alert, station) {
        alert -> Text,
        station -> Text,
        fired -> Bool,
        since -> Text,
        judged_to -> Text,
        sent_at -> Nullable<Text>,
    }
}

diesel::table! {
    alert_outbox (id) {
        id -> BigInt,
        alert -> Text,
        station -> Text,
        sender -> Text,
        message -> Text,
        created_at -> Text,
        attempts -> Integer,
        next_try -> Text,
        status -> Text,
        last_error -> Nullable<Text>,
    }
}
