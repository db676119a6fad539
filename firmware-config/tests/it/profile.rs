//! Profiles: what a short file gives, and that no profile makes validation panic.

use proptest::prelude::*;
use stride_firmware_config::level::PolicyLevel;
use stride_firmware_config::profile::{
    Capacities, DeviceProfile, Inference, KvType, Limits, Memory, Quantization,
};

pub fn parse(text: &str) -> DeviceProfile {
    toml::from_str(text).expect("well-formed TOML of known keys")
}

#[test]
fn an_empty_file_is_the_standard_profile_under_another_name() {
    let profile = parse("");
    assert_eq!(profile.name, "custom");
    assert_eq!(profile.validate(), Ok(()));
    let standard = DeviceProfile::standard();
    assert_eq!(standard.validate(), Ok(()));
    assert_eq!(
        DeviceProfile {
            name: standard.name.clone(),
            description: standard.description.clone(),
            ..profile
        },
        standard
    );
}

#[test]
fn a_section_may_name_one_key() {
    let profile =
        parse("name = 'kiosk'\n[inference]\nthreads = 4\nquantization = 'Q4_0'\nkv = 'f16'");
    assert_eq!(
        profile.inference,
        Inference {
            threads: 4,
            quantization: Some(Quantization::Q4_0),
            kv: KvType::F16,
            ..Inference::STANDARD
        }
    );
    assert_eq!(profile.capacities, Capacities::STANDARD);
}

#[test]
fn the_standard_profile_shows_itself_on_one_line() {
    assert_eq!(
        DeviceProfile::standard().to_string(),
        "standard: 2 threads, 1024 tokens of context, batches of 256, 0 GPU layers, any weights, q8_0 KV cache, 150 MiB"
    );
    assert_eq!(
        DeviceProfile::standard().description,
        "A machine of which nothing is known: two CPU threads, 150 MiB."
    );
}

#[test]
fn the_caps_are_those_of_the_method() {
    let caps = PolicyLevel::ALL.map(|level| Capacities::STANDARD.utterance_tokens(level));
    assert_eq!(caps, [32, 32, 150]);
    assert_eq!(Limits::STANDARD.actions_per_episode, 50);
}

#[test]
fn the_loop_rule_can_be_switched_off() {
    let limits = Limits::STANDARD;
    assert_eq!([1, 2, 3].map(|n| limits.is_loop(n)), [false, false, true]);
    let off = Limits {
        repeats: 0,
        ..limits
    };
    assert!(!off.is_loop(0) && !off.is_loop(u16::MAX));
}

#[test]
fn the_kv_cache_is_counted_by_its_type() {
    let mut inference = Inference::STANDARD;
    assert_eq!(inference.kv_bytes(8, 384), 1024 * 8 * 2 * 384 / 32 * 34);
    inference.kv = KvType::F16;
    assert_eq!(inference.kv_bytes(8, 384), 1024 * 8 * 2 * 384 * 2);
}

#[test]
fn quantizations_have_one_name_everywhere() {
    for quantization in Quantization::ALL {
        let name = quantization.name();
        let profile = parse(&format!("[inference]\nquantization = '{name}'"));
        assert_eq!(profile.inference.quantization, Some(quantization));
        assert!(profile.inference.expects(quantization));
        assert_eq!(
            Quantization::from_name(&name.to_lowercase()),
            Some(quantization)
        );
        assert_eq!(quantization.to_string(), name);
    }
    assert_eq!(Quantization::from_name("Q3_K"), None);
    let q8 = Inference {
        quantization: Some(Quantization::Q8_0),
        ..Inference::STANDARD
    };
    assert!(!q8.expects(Quantization::F16));
    assert!(Inference::STANDARD.expects(Quantization::F16));
}

proptest! {
    #[test]
    fn validation_never_panics(
        sizes in any::<[usize; 7]>(),
        numbers in any::<[u32; 9]>(),
        repeats in any::<u16>(),
        budget_bytes in any::<u64>(),
    ) {
        let [task, scene, observation, subtask, progress, action, completed] = sizes;
        let [high_tokens, low_tokens, progress_tokens, prompt_tokens, ..] = numbers;
        let [.., actions_per_episode, actions_per_subtask, threads, context_tokens, batch_tokens] = numbers;
        let profile = DeviceProfile {
            capacities: Capacities {
                task, scene, observation, subtask, progress, action, completed,
                high_tokens, low_tokens, progress_tokens, prompt_tokens,
            },
            limits: Limits { actions_per_episode, actions_per_subtask, repeats },
            inference: Inference { threads, context_tokens, batch_tokens, ..Inference::STANDARD },
            memory: Memory { budget_bytes },
            ..DeviceProfile::standard()
        };
        profile.problems(|problem| assert!(problem.to_string().contains(problem.field())));
        prop_assert!(profile.inference.kv_bytes(threads, context_tokens) > 0 || threads == 0 || context_tokens == 0);
    }

    #[test]
    fn a_valid_profile_survives_its_file(
        threads in 1_u32..=256,
        progress in 16_usize..=512,
        gpu_layers in 0_u32..=1000,
        q8 in any::<bool>(),
    ) {
        let mut profile = DeviceProfile::standard();
        profile.inference.threads = threads;
        profile.inference.gpu_layers = gpu_layers;
        profile.inference.quantization = q8.then_some(Quantization::Q8_0);
        profile.capacities.progress = progress;
        prop_assert_eq!(profile.validate(), Ok(()));
        let text = toml::to_string(&profile).expect("plain data");
        prop_assert_eq!(parse(&text), profile);
    }
}

#[test]
fn what_was_measured_stands_in_the_file_and_is_checked() {
    let text = "
        [measured]
        policy = '00'
        processor = 'AMD EPYC'
        threads = 2
        batch_tokens = 128
        resident_bytes = 21_000_000
        anonymous_bytes = 9_000_000
        bad_features = ['amx']
        [[measured.runs]]
        threads = 1
        batch_tokens = 128
        prefill_micros = 60
        decode_micros = 250
        step_micros = 20_000
    ";
    let profile = parse(text);
    assert_eq!(profile.validate(), Ok(()));
    let measured = profile.measured.as_ref().expect("it stands there");
    assert!(measured.is_of("AMD EPYC") && !measured.is_of("AMD EPYC 2"));
    assert!(measured.is_bad("amx") && !measured.is_bad("avx2"));
    assert_eq!(measured.runs[0].step_micros, 20_000);
    let run = |processor| {
        let profile = profile.clone().on(processor);
        assert_eq!(profile.validate(), Ok(()));
        (profile.inference.threads, profile.inference.batch_tokens)
    };
    let written = (profile.inference.threads, profile.inference.batch_tokens);
    assert_ne!(written, (2, 128));
    assert_eq!(run(Some("AMD EPYC")), (2, 128));
    assert_eq!(run(Some("AMD EPYC 2")), written);
    assert_eq!(run(None), written);
    assert!(profile.clone().on(None).measured.is_none());
    assert_eq!(
        parse(&toml::to_string(&profile).expect("plain data")),
        profile
    );
    let wrong = parse(
        &text
            .replace("threads = 2", "threads = 0")
            .replace("128\n        res", "4096\n        res"),
    );
    let mut fields = Vec::new();
    wrong.problems(|problem| fields.push(problem.field()));
    assert_eq!(fields, ["measured.threads", "measured.batch_tokens"]);
    assert!(DeviceProfile::standard().measured.is_none());
}

#[test]
fn a_long_processor_name_is_cut_alike_when_written_and_when_compared() {
    use stride_firmware_config::text::{BoundedText, Overflow};
    let name =
        "An Extraordinarily Long Processor Name @ 3.50GHz with Many Cores and Radeon Graphics";
    let mut processor = BoundedText::new();
    processor
        .set(name, Overflow::Cut)
        .expect("cutting never refuses");
    let mut profile = parse(
        "[measured]\npolicy=''\nprocessor=''\nthreads=1\nbatch_tokens=1\nresident_bytes=0\nanonymous_bytes=0",
    );
    let measured = profile.measured.as_mut().expect("it stands there");
    measured.processor = processor;
    assert!(measured.is_of(name) && !measured.is_of("An Extra"));
}
