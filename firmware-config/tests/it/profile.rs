//! Profiles: what a short file gives, and one test for each refusal.

use proptest::prelude::*;
use stride_firmware_config::capacity;
use stride_firmware_config::level::PolicyLevel;
use stride_firmware_config::profile::{
    Capacities, DeviceProfile, Inference, KvType, Limits, Memory, ProfileError, Quantization,
};

fn parse(text: &str) -> DeviceProfile {
    toml::from_str(text).expect("well-formed TOML of known keys")
}

/// The message with which the profile that `text` makes is refused.
fn refusal(text: &str) -> String {
    parse(text)
        .validate()
        .expect_err("the profile is wrong")
        .to_string()
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
        parse("name = 'kiosk'\n[inference]\nthreads = 4\nquantization = 'Q4_0'\nkv = 'q8_0'");
    assert_eq!(
        profile.inference,
        Inference {
            threads: 4,
            quantization: Some(Quantization::Q4_0),
            kv: KvType::Q8_0,
            ..Inference::STANDARD
        }
    );
    assert_eq!(profile.capacities, Capacities::STANDARD);
}

#[test]
fn the_standard_profile_shows_itself_on_one_line() {
    assert_eq!(
        DeviceProfile::standard().to_string(),
        "standard: 2 threads, 1024 tokens of context, batches of 256, 0 GPU layers, any weights, f16 KV cache, 150 MiB"
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
    assert_eq!([1, 2, 3].map(|n| limits.is_loop(n)), [false, true, true]);
    let off = Limits {
        repeats: 0,
        ..limits
    };
    assert!(!off.is_loop(0) && !off.is_loop(u16::MAX));
}

#[test]
fn the_kv_cache_is_counted_by_its_type() {
    let mut inference = Inference::STANDARD;
    assert_eq!(inference.kv_bytes(8, 384), 1024 * 8 * 2 * 384 * 2);
    inference.kv = KvType::Q8_0;
    assert_eq!(inference.kv_bytes(8, 384), 1024 * 8 * 2 * 384 / 32 * 34);
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

#[test]
fn refuses_an_unknown_key() {
    for text in [
        "treads = 4",
        "[capacities]\nprogres = 1",
        "[limits]\nactions = 1",
        "[inference]\ntreads = 4",
        "[memory]\nbudget = 1",
    ] {
        let error = toml::from_str::<DeviceProfile>(text).expect_err(text);
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
}

#[test]
fn refuses_an_unknown_quantization() {
    let error = toml::from_str::<DeviceProfile>("[inference]\nquantization = 'Q9'")
        .expect_err("no such quantization");
    assert!(
        error.to_string().contains("unknown variant `Q9`"),
        "{error}"
    );
}

#[test]
fn refuses_a_name_that_is_too_long_to_hold() {
    let text = format!("name = '{}'", "n".repeat(49));
    assert!(toml::from_str::<DeviceProfile>(&text).is_err());
}

#[test]
fn refuses_a_name_that_is_no_label() {
    for name in ["", "my board", "../x", "größe"] {
        assert_eq!(
            refusal(&format!("name = '{name}'")),
            "name: must be 1 to 48 ASCII letters, digits, '-', '_' or '.', because it labels files and metrics; rename the profile"
        );
    }
}

#[test]
fn refuses_a_capacity_over_the_build() {
    assert_eq!(
        refusal("[capacities]\nprogress = 4096"),
        "capacities.progress = 4096: at most 512 in this build (capacity::PROGRESS); lower it or rebuild"
    );
    for (field, constant, max) in [
        ("task", "TASK", capacity::TASK),
        ("scene", "SCENE", capacity::SCENE),
        ("observation", "OBSERVATION", capacity::OBSERVATION),
        ("subtask", "SUBTASK", capacity::SUBTASK),
        ("action", "ACTION", capacity::ACTION),
        ("completed", "COMPLETED", capacity::COMPLETED),
    ] {
        assert_eq!(
            refusal(&format!("[capacities]\n{field} = {}", max + 1)),
            format!(
                "capacities.{field} = {}: at most {max} in this build (capacity::{constant}); lower it or rebuild",
                max + 1
            )
        );
    }
}

#[test]
fn refuses_a_text_too_small_to_show_a_cut() {
    for field in [
        "task",
        "scene",
        "observation",
        "subtask",
        "progress",
        "action",
    ] {
        assert_eq!(
            refusal(&format!("[capacities]\n{field} = 15")),
            format!(
                "capacities.{field} = 15: at least 16 (a cut text needs room for its mark); raise it"
            )
        );
    }
}

#[test]
fn refuses_to_remember_no_subtask() {
    assert_eq!(
        refusal("[capacities]\ncompleted = 0"),
        "capacities.completed = 0: at least 1 (the high level must know the last subtask); raise it"
    );
}

#[test]
fn refuses_caps_of_no_token() {
    for field in [
        "high_tokens",
        "low_tokens",
        "progress_tokens",
        "prompt_tokens",
    ] {
        assert_eq!(
            refusal(&format!("[capacities]\n{field} = 0")),
            format!(
                "capacities.{field} = 0: at least 1 (nothing can be said in no token); raise it"
            )
        );
    }
}

#[test]
fn refuses_caps_beyond_any_context() {
    assert_eq!(
        refusal("[capacities]\nlow_tokens = 131073"),
        "capacities.low_tokens = 131073: at most 131072; lower it"
    );
}

#[test]
fn refuses_limits_of_no_action() {
    for field in ["actions_per_episode", "actions_per_subtask"] {
        assert_eq!(
            refusal(&format!("[limits]\n{field} = 0")),
            format!("limits.{field} = 0: at least 1 (an agent must be allowed to act); raise it")
        );
    }
}

#[test]
fn refuses_limits_without_end() {
    for field in ["actions_per_episode", "actions_per_subtask", "repeats"] {
        assert_eq!(
            refusal(&format!("[limits]\n{field} = 10001")),
            format!("limits.{field} = 10001: at most 10000; lower it")
        );
    }
}

#[test]
fn refuses_no_thread_and_too_many() {
    assert_eq!(
        refusal("[inference]\nthreads = 0"),
        "inference.threads = 0: at least 1 (somebody must compute); raise it"
    );
    assert_eq!(
        refusal("[inference]\nthreads = 257"),
        "inference.threads = 257: at most 256; lower it"
    );
}

#[test]
fn refuses_a_context_out_of_range() {
    assert_eq!(
        refusal("[inference]\ncontext_tokens = 63\nbatch_tokens = 1"),
        "inference.context_tokens = 63: at least 64 (less holds no frame with an observation); raise it"
    );
    assert_eq!(
        refusal("[inference]\ncontext_tokens = 131073"),
        "inference.context_tokens = 131073: at most 131072; lower it"
    );
}

#[test]
fn refuses_a_context_that_prompt_and_utterance_overflow() {
    assert_eq!(
        refusal("[inference]\ncontext_tokens = 981"),
        "inference.context_tokens = 981: at least 982, because capacities.prompt_tokens = 832 and \
         capacities.progress_tokens = 150 must fit it together; raise the context or lower capacities.prompt_tokens"
    );
    assert_eq!(
        parse("[inference]\ncontext_tokens = 982").validate(),
        Ok(())
    );
    let high = refusal("[capacities]\nhigh_tokens = 500");
    assert!(high.contains("capacities.high_tokens = 500"), "{high}");
}

#[test]
fn refuses_a_batch_out_of_range() {
    assert_eq!(
        refusal("[inference]\nbatch_tokens = 0"),
        "inference.batch_tokens = 0: at least 1 (a prompt is computed in batches); raise it"
    );
    assert_eq!(
        refusal("[inference]\nbatch_tokens = 2048"),
        "inference.batch_tokens = 2048: at most inference.context_tokens = 1024; lower the batch or raise the context"
    );
}

#[test]
fn refuses_more_layers_than_any_policy_has() {
    assert_eq!(
        refusal("[inference]\ngpu_layers = 1001"),
        "inference.gpu_layers = 1001: at most 1000; lower it"
    );
}

#[test]
fn refuses_a_budget_that_holds_no_agent() {
    let least = Memory::fixed_bytes(&Capacities::STANDARD, &Inference::STANDARD);
    assert_eq!(
        refusal("[memory]\nbudget_bytes = 1_000_000"),
        format!(
            "memory.budget_bytes = 1000000: at least {least} (the process, one agent and its buffers, before any policy); raise it"
        )
    );
    assert!(
        least < 32 << 20,
        "{least} bytes leave a small board nothing"
    );
}

#[test]
fn refuses_a_budget_beyond_belief() {
    assert_eq!(
        refusal("[memory]\nbudget_bytes = 17_592_186_044_417"),
        "memory.budget_bytes = 17592186044417: at most 17592186044416; lower it"
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let profile = parse("name = ''\n[inference]\nthreads = 0\n[memory]\nbudget_bytes = 0");
    let mut fields = Vec::new();
    profile.problems(|problem| fields.push(problem.field()));
    assert_eq!(fields, ["name", "inference.threads", "memory.budget_bytes"]);
    assert_eq!(profile.validate(), Err(ProfileError::Name));
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
