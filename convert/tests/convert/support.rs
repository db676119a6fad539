//! A small checkpoint in a fresh folder, and ways to spoil it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stride_convert::Error;
use stride_convert::export::{self, Options};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, GgufWriter, Metadata, TensorEntry, TensorInfo};
use stride_convert::quantize::Recipe;
use stride_convert::report::Report;
use stride_convert::source::Checkpoint;

/// A checkpoint directory that goes away with the value.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// The default random model.
    pub fn new() -> Self {
        Self::of(&RandomModel::default())
    }

    pub fn of(model: &RandomModel) -> Self {
        let folder = tempfile::tempdir().unwrap();
        model.write(folder.path()).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file as an argument of the program.
    pub fn argument(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    /// Writes a GGUF of the tensors of another with other metadata.
    pub fn rewrite(&self, from: &str, to: &str, change: impl FnOnce(&mut Metadata)) {
        let bytes = self.read(from);
        let file = GgufFile::parse(&bytes).unwrap();
        let mut metadata = file.metadata.clone();
        change(&mut metadata);
        let infos: Vec<TensorInfo> = file.tensors.iter().map(info).collect();
        let mut writer = GgufWriter::start(Vec::new(), &metadata, &infos).unwrap();
        for tensor in &file.tensors {
            writer.write(file.bytes(tensor)).unwrap();
            writer.end_tensor().unwrap();
        }
        std::fs::write(self.file(to), writer.finish().unwrap()).unwrap();
    }

    /// Rewrites a JSON file.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.file(name);
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(path, value.to_string()).unwrap();
    }

    /// Overwrites one stored F32 weight of the safetensors file.
    pub fn set_weight(&self, tensor: &str, index: usize, weight: f32) {
        let path = self.file("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let json: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
        let start = json[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        let at = header + start + 4 * index;
        bytes[at..at + 4].copy_from_slice(&weight.to_le_bytes());
        std::fs::write(path, bytes).unwrap();
    }

    /// Converts to `out.gguf` in the folder.
    pub fn export(&self, recipe: Recipe) -> Result<Report, Error> {
        let checkpoint = Checkpoint::open(self.path())?;
        let options = Options {
            recipe,
            replace: true,
        };
        export::export(&checkpoint, &self.file("out.gguf"), options, |_| {})
    }

    /// The bytes of the converted file.
    pub fn exported(&self, recipe: Recipe) -> Vec<u8> {
        self.export(recipe).unwrap();
        std::fs::read(self.file("out.gguf")).unwrap()
    }

    /// The text with which the conversion is refused; nothing may be left behind.
    pub fn refusal(&self, recipe: Recipe) -> String {
        let before = self.names();
        let text = self.export(recipe).expect_err("a refusal").to_string();
        assert_eq!(self.names(), before, "a refused conversion leaves no file");
        text
    }

    /// What stands in the folder, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn info(tensor: &TensorEntry) -> TensorInfo {
    TensorInfo {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        kind: tensor.kind,
    }
}

/// Runs the program and returns exit code, stdout and stderr.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut program = assert_cmd::Command::cargo_bin("stride-convert").unwrap();
    let output = program.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Fails with both texts.
#[track_caller]
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

/// Twelve transitions of every level.
pub fn write_transitions(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for step in 0..36 {
        let (scene, observation) = (
            "fridge 1, cabinet 1 to 4",
            format!("You see an egg {step}."),
        );
        let (level, utterance) = [
            ("high", "find an egg"),
            ("low", "open fridge 1; False"),
            ("progress", "no egg yet"),
        ][step % 3];
        let mut state = json!({
            "level": level, "scene": scene, "observation": observation, "progress": "checked cabinet 1",
        });
        let more = match level {
            "high" => {
                json!({ "task": "heat an egg", "completed": { "items": ["find an egg"], "dropped": 0 } })
            }
            "low" => json!({ "subtask": "find an egg" }),
            _ => json!({ "subtask": "find an egg", "action": "open fridge 1" }),
        };
        state
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let line = json!({
            "game": "test", "subtask_index": 0, "step_index": step, "state": state, "utterance": utterance,
            "reward": 0.0, "span": 1, "done": false, "next": null, "source": "expert", "end": "success",
        });
        writeln!(file, "{line}").unwrap();
    }
}
