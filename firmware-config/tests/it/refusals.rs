//! One test for each way in which a profile is refused, to the letter of its message.

use stride_firmware_config::capacity;
use stride_firmware_config::profile::{Capacities, DeviceProfile, Inference, Memory, ProfileError};

use crate::profile::parse;

/// The message with which the profile that `text` makes is refused.
fn refusal(text: &str) -> String {
    parse(text)
        .validate()
        .expect_err("the profile is wrong")
        .to_string()
}

#[test]
fn refuses_an_unknown_key() {
    for text in [
        "treads = 4",
        "[capacities]\nprogres = 1",
        "[limits]\nactions = 1",
        "[inference]\ntreads = 4",
        "[memory]\nbudget = 1",
        "[agents]\nmost = 1",
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
fn refuses_no_agent_and_more_than_a_disk_holds() {
    assert_eq!(
        refusal("[agents]\ncapacity = 0"),
        "agents.capacity = 0: at least 1 (a daemon without agents serves nobody); raise it"
    );
    assert_eq!(
        refusal("[agents]\ncapacity = 1048577"),
        "agents.capacity = 1048577: at most 1048576; lower it"
    );
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
