# What a contributor runs. `just` alone lists it.

_default:
    @{{just_executable()}} --list --unsorted

# A day of simulated sky, fetched, classified, stored and drawn
demo *ARGS:
    cargo run --release -- demo --once {{ARGS}}

# All tests; a name runs those that contain it
test *ARGS:
    cargo test {{ARGS}}

# Formatting and lints, warnings denied
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Put the code into its format
fmt:
    cargo fmt

# Licences, duplicate and foreign sources of the dependency tree, and advisories
deny:
    cargo deny --all-features check

# The library's documentation, warnings denied
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --locked {{ARGS}}

# Benchmarks; a name runs those that contain it
bench *ARGS:
    cargo bench {{ARGS}}

# Fuzzing: minutes a target, and targets (all)
fuzz *ARGS:
    fuzz/run.sh {{ARGS}}

# An hour, or so many minutes, at full load against a camera that misbehaves
soak *ARGS:
    cargo build --release
    benches/soak.sh {{ARGS}}

# Wheel, .deb, SBOM and sums in target/dist; a name makes one of them
package *ARGS:
    packaging/build.sh {{ARGS}}

# The whole gate, as it runs before a change lands
ci:
    .ci/run
