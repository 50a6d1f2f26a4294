//! The ONNX Runtime that is installed: version, files and their SHA-256 for each system.

/// The pinned version.
pub const VERSION: &str = "1.23.2";

/// The pinned files of one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedLibrary {
    /// Version of ONNX Runtime.
    pub version: &'static str,
    /// What `pip` calls the system.
    pub platform: &'static str,
    /// File name of the wheel.
    pub wheel: &'static str,
    /// SHA-256 of the wheel, hexadecimal.
    pub wheel_sha256: &'static str,
    /// Name of the library inside the wheel.
    pub member: &'static str,
    /// File name of the library once installed.
    pub library: &'static str,
    /// SHA-256 of the library, hexadecimal.
    pub library_sha256: &'static str,
    /// Size of the library in bytes; more is never unpacked.
    pub library_bytes: u64,
}

const LINUX_X86_64: PinnedLibrary = PinnedLibrary {
    version: VERSION,
    platform: "manylinux_2_27_x86_64",
    wheel: "onnxruntime-1.23.2-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    wheel_sha256: "0f9b4ae77f8e3c9bee50c27bc1beede83f786fe1d52e99ac85aa8d65a01e9b77",
    member: "onnxruntime/capi/libonnxruntime.so.1.23.2",
    library: "libonnxruntime.so.1.23.2",
    library_sha256: "718c3fb0785d5ea06061b92c32ce4ad35be1bd4c71ae6192efe06f1ab21f0f8a",
    library_bytes: 22_326_072,
};

const LINUX_AARCH64: PinnedLibrary = PinnedLibrary {
    version: VERSION,
    platform: "manylinux_2_27_aarch64",
    wheel: "onnxruntime-1.23.2-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
    wheel_sha256: "76ff670550dc23e58ea9bc53b5149b99a44e63b34b524f7b8547469aaa0dcb8c",
    member: "onnxruntime/capi/libonnxruntime.so.1.23.2",
    library: "libonnxruntime.so.1.23.2",
    library_sha256: "ab8c4363e06ac80b3d1279ea55ebea44e906c5b131ba783ff684a067540c0e94",
    library_bytes: 18_693_384,
};

const MACOS_ARM64: PinnedLibrary = PinnedLibrary {
    version: VERSION,
    platform: "macosx_13_0_arm64",
    wheel: "onnxruntime-1.23.2-cp312-cp312-macosx_13_0_arm64.whl",
    wheel_sha256: "b8f029a6b98d3cf5be564d52802bb50a8489ab73409fa9db0bf583eabb7c2321",
    member: "onnxruntime/capi/libonnxruntime.1.23.2.dylib",
    library: "libonnxruntime.1.23.2.dylib",
    library_sha256: "92500010659b052368797e30c1841956b0efd699a8061ef8b3b25f27449c86e7",
    library_bytes: 27_623_992,
};

const MACOS_X86_64: PinnedLibrary = PinnedLibrary {
    version: VERSION,
    platform: "macosx_13_0_x86_64",
    wheel: "onnxruntime-1.23.2-cp312-cp312-macosx_13_0_x86_64.whl",
    wheel_sha256: "218295a8acae83905f6f1aed8cacb8e3eb3bd7513a13fe4ba3b2664a19fc4a6b",
    member: "onnxruntime/capi/libonnxruntime.1.23.2.dylib",
    library: "libonnxruntime.1.23.2.dylib",
    library_sha256: "41e7960eccef34f60ca21d091d37bc97d0e70a0b4ce902babf5f795a76e1af74",
    library_bytes: 30_819_512,
};

const WINDOWS_X86_64: PinnedLibrary = PinnedLibrary {
    version: VERSION,
    platform: "win_amd64",
    wheel: "onnxruntime-1.23.2-cp312-cp312-win_amd64.whl",
    wheel_sha256: "25de5214923ce941a3523739d34a520aac30f21e631de53bba9174dc9c004435",
    member: "onnxruntime/capi/onnxruntime.dll",
    library: "onnxruntime.dll",
    library_sha256: "462ea8e85b881b26388c595f96b1b9b39e57565aa4725fe29136695c1ead179f",
    library_bytes: 15_709_728,
};

/// The files for this system; `None` where none are published (musl, 32 bits, other systems).
pub fn pinned() -> Option<&'static PinnedLibrary> {
    let glibc = cfg!(target_env = "gnu");
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") if glibc => Some(&LINUX_X86_64),
        ("linux", "aarch64") if glibc => Some(&LINUX_AARCH64),
        ("macos", "aarch64") => Some(&MACOS_ARM64),
        ("macos", "x86_64") => Some(&MACOS_X86_64),
        ("windows", "x86_64") => Some(&WINDOWS_X86_64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_complete() {
        for pin in [LINUX_X86_64, LINUX_AARCH64, MACOS_ARM64, MACOS_X86_64, WINDOWS_X86_64] {
            for hash in [pin.wheel_sha256, pin.library_sha256] {
                assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
            }
            assert_eq!(pin.version, VERSION);
            assert!(pin.wheel.contains(pin.platform) && pin.wheel.contains(VERSION));
            assert!(pin.member.ends_with(pin.library));
        }
    }
}
