//! Which processor this is, so that what was measured on one is not believed on another.

use std::fs;
use std::path::Path;

/// The processor's name as the system knows it; `None` where it says nothing that tells one from another.
#[must_use]
pub fn processor() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    named(Path::new("/proc/device-tree/model"), &cpuinfo)
}

/// Boards have a device tree, whose model says more than their cores do (`ARMv8 Processor rev 1`); servers have a name for the
/// processor, or at least numbers of who made it.
fn named(model: &Path, cpuinfo: &str) -> Option<String> {
    let field = |wanted: &str| {
        let values = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut values = values.filter(|(name, _)| name.trim() == wanted);
        values.find_map(|(_, value)| text(value))
    };
    let board = fs::read_to_string(model).ok().and_then(|name| text(&name));
    board
        .or_else(|| field("Model"))
        .or_else(|| field("model name").filter(|name| !name.starts_with("ARMv")))
        .or_else(|| {
            let (maker, part) = (field("CPU implementer")?, field("CPU part")?);
            let variant = field("CPU variant").unwrap_or_default();
            Some(format!(
                "implementer {maker}, part {part}, variant {variant}"
            ))
        })
}

/// A text without what surrounds it; the device tree ends its texts with a zero byte.
fn text(value: &str) -> Option<String> {
    let value = value.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_told_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        let name = |cpuinfo: &str| named(&model, cpuinfo);
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(name(x86).unwrap(), "AMD EPYC");
        let pi = "processor\t: 0\nCPU part\t: 0xd0b\nModel\t\t: Raspberry Pi 5\n";
        assert_eq!(name(pi).unwrap(), "Raspberry Pi 5");
        let server =
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n";
        assert_eq!(
            name(server).unwrap(),
            "implementer 0x41, part 0xd0c, variant 0x3"
        );
        // What every board of an architecture says is no name.
        let generic = "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n";
        assert_eq!(
            (name(generic), name("nothing"), name("")),
            (None, None, None)
        );
        fs::write(&model, "NVIDIA Jetson Orin Nano Developer Kit\0").unwrap();
        assert_eq!(
            name(generic).unwrap(),
            "NVIDIA Jetson Orin Nano Developer Kit"
        );
    }
}
