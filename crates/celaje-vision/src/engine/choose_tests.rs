use super::*;
use celaje_sky::error::Class;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The library of this machine, or a note that the test was skipped.
fn library() -> Option<Search> {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let search = Search::from_environment(named.as_deref());
    match library::load(&search) {
        Ok(Some(_)) => Some(search),
        _ => {
            // Not `eprintln!`: the harness keeps that back.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: no ONNX Runtime on this machine (ORT_DYLIB_PATH names one)"
            );
            None
        }
    }
}

fn shared(name: &str) -> Option<Model> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models").join(name);
    if !path.exists() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: {} is missing", path.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(name);
    std::fs::copy(path, &copy).unwrap();
    if name.starts_with("sky-start") {
        let manifest = "name = 'sky-start'\nkind = 'segmentation'\n\
            [input]\nwidth = 192\nheight = 192\n\
            [output]\nclasses = ['background', 'sky', 'cloud']\n";
        std::fs::write(copy.with_extension("toml"), manifest).unwrap();
    }
    Some(Model::open(&copy).unwrap())
}

fn on(choice: EngineChoice, search: &Search, model: &Model) -> Result<Arc<dyn Engine>> {
    engine_from(choice, Device::Cpu, search, model).map(|(engine, _)| engine)
}

/// Numbers between 0 and 1 that look like nothing.
fn noise(n: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        })
        .collect()
}

fn outputs(engine: &dyn Engine, model: &Model, n: usize) -> Vec<f32> {
    let (height, width) =
        (model.manifest.input.height as usize, model.manifest.input.width as usize);
    let data = noise(n * 3 * height * width);
    let mut session = engine.open(1).unwrap();
    let output = session.run(InputBatch { data: &data, shape: [n, 3, height, width] }).unwrap();
    assert!(output.is_batch_of(n));
    output.data
}

/// What ONNX Runtime and rten give for the same two pictures; none without the library.
fn both_outputs(model: &Model) -> Option<(Vec<f32>, Vec<f32>)> {
    let search = library()?;
    let fast = on(EngineChoice::OnnxRuntime, &search, model).unwrap();
    assert!(fast.describe().starts_with("onnxruntime ") && fast.describe().ends_with("(cpu)"));
    let slow = on(EngineChoice::Rten, &search, model).unwrap();
    Some((outputs(&*fast, model, 2), outputs(&*slow, model, 2)))
}

fn engines_agree(model: &Model) {
    let Some((fast, slow)) = both_outputs(model) else {
        return;
    };
    let worst = fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-3, "the engines differ by {worst}");
    // An untrained network gives small numbers: they have to agree as closely for their size.
    let largest = fast.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0 && worst < largest * 1e-2, "{worst} beside {largest}");
}

#[test]
fn both_engines_give_the_same_on_the_bundled_model() {
    engines_agree(&Model::bundled().unwrap());
}

/// In 8-bit integers a sum that lies between two of them may go either way, and a few such steps
/// add up in single cells: the mean tells whether the engines compute the same.
#[test]
fn both_engines_give_nearly_the_same_in_integers() {
    let Some((fast, slow)) = both_outputs(&Model::resolve(Some(Path::new("celaje-4"))).unwrap())
    else {
        return;
    };
    let mean = |values: &mut dyn Iterator<Item = f32>| values.sum::<f32>() / fast.len() as f32;
    let apart = mean(&mut fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()));
    let size = mean(&mut fast.iter().map(|value| value.abs()));
    assert!(size > 0.0 && apart < size * 0.02, "{apart} beside {size}");
}

#[test]
fn both_engines_give_the_same_on_the_replaced_form() {
    if let Some(model) = shared("efficientnet-b0-untrained.onnx") {
        engines_agree(&model);
    }
}

#[test]
fn both_engines_run_a_quantised_model() {
    let (Some(model), Some(search)) = (shared("sky-start-int8.onnx"), library()) else {
        return;
    };
    for choice in [EngineChoice::OnnxRuntime, EngineChoice::Rten] {
        let engine = on(choice, &search, &model).unwrap();
        assert!(outputs(&*engine, &model, 1).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn a_batch_gives_what_single_pictures_give() {
    let model = Model::bundled().unwrap();
    let engine = on(EngineChoice::Rten, &Search::default(), &model).unwrap();
    let (one, three) = (outputs(&*engine, &model, 1), outputs(&*engine, &model, 3));
    let worst = one.iter().zip(&three).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn sessions_run_beside_each_other() {
    let model = Model::bundled().unwrap();
    let engine = on(EngineChoice::Rten, &Search::default(), &model).unwrap();
    let wanted = outputs(&*engine, &model, 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(outputs(&*engine, &model, 1), wanted));
        }
    });
}

#[test]
fn a_session_survives_a_batch_that_fails() {
    let model = Model::bundled().unwrap();
    for engine in engines(&model) {
        let mut session = engine.open(1).unwrap();
        let data = vec![0.5; 3 * 192 * 192];
        let wrong = InputBatch { data: &data, shape: [1, 192, 192, 3] };
        assert!(matches!(session.run(wrong), Err(BackendError::Run(_))));
        let right = InputBatch { data: &data, shape: [1, 3, 192, 192] };
        assert!(session.run(right).is_ok());
    }
}

#[test]
fn without_a_library_the_built_in_engine_is_used_and_says_so() {
    // A search that finds nothing; another test may have loaded a library for the process.
    let model = Model::bundled().unwrap();
    let (engine, notices) =
        engine_from(EngineChoice::Auto, Device::Auto, &Search::default(), &model).unwrap();
    if engine.describe().starts_with("rten") {
        assert!(notices[0].en.contains("celaje runtime install"));
        let failure = on(EngineChoice::OnnxRuntime, &Search::default(), &model).err().unwrap();
        assert_eq!(failure.class, Class::Environment);
        assert!(failure.text.es.contains("--ort-lib"));
    } else {
        assert!(notices.is_empty());
    }
}

#[test]
fn rten_on_a_graphics_card_is_a_mistake_of_usage() {
    let model = Model::bundled().unwrap();
    let failure = engine_from(EngineChoice::Rten, Device::Cuda, &Search::default(), &model);
    assert_eq!(failure.err().unwrap().class, Class::Usage);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_program_without_cuda_says_how_to_build_it() {
    let Some(search) = library() else { return };
    let model = Model::bundled().unwrap();
    let failure = engine_from(EngineChoice::Auto, Device::Cuda, &search, &model).err().unwrap();
    assert_eq!(failure.class, Class::Environment);
    assert!(failure.text.en.contains("--features cuda"));
}

/// The engines of this machine: always rten.
fn engines(model: &Model) -> Vec<Arc<dyn Engine>> {
    let mut engines = vec![on(EngineChoice::Rten, &Search::default(), model).unwrap()];
    if let Some(search) = library() {
        engines.push(on(EngineChoice::OnnxRuntime, &search, model).unwrap());
    }
    engines
}

#[test]
fn both_engines_say_what_the_network_declares() {
    let model = Model::bundled().unwrap();
    for engine in engines(&model) {
        let session = engine.open(1).unwrap();
        let signature = session.signature().unwrap();
        let ([input], [output]) = (&signature.inputs[..], &signature.outputs[..]) else {
            panic!("{signature:?}");
        };
        assert!(!input.name.is_empty() && !output.name.is_empty());
        assert_eq!(input.float, Some(true));
        assert_eq!(input.shape, Some(vec![None, Some(3), Some(192), Some(192)]));
        assert_eq!(output.shape.as_ref().map(|shape| shape[1]), Some(Some(4)));
    }
}

#[test]
fn a_network_that_contradicts_its_manifest_is_found_before_the_first_picture() {
    let mut model = Model::bundled().unwrap();
    model.manifest.output.classes.pop();
    let searches = [Some((EngineChoice::Rten, Search::default()))].into_iter();
    for (choice, search) in searches.chain([library().map(|it| (EngineChoice::Auto, it))]).flatten()
    {
        let failure = on(choice, &search, &model).err().unwrap();
        assert_eq!(failure.class, Class::Environment);
        assert!(failure.text.en.contains("correct the manifest"), "{failure}");
    }
}

#[test]
fn a_damaged_network_is_refused_with_its_name() {
    let mut model = Model::bundled().unwrap();
    model.bytes = model.bytes[..100_000].into();
    let failure = on(EngineChoice::Rten, &Search::default(), &model).err().unwrap();
    assert!(failure.text.en.contains("celaje-6") && failure.text.en.contains("fetch it again"));
    model.bytes = [&model.bytes[..], b"\x0a\x08location\x12\x09m.weights"].concat().into();
    let failure = on(EngineChoice::Rten, &Search::default(), &model).err().unwrap();
    assert!(failure.text.en.contains("weights in another file"), "{failure}");
}
