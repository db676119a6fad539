//! The engine on small games of our own: nothing in it may depend on ALFWorld's domain.

use std::borrow::Cow;
use std::sync::Arc;

use stride_environments::alfworld::{Game, GameError, GameFile, Naming, Session};
use stride_environments::grammar::{GrammarError, RenderError};
use stride_environments::logic::{LogicError, Task};
use stride_environments::pddl::{Domain, Limits, PddlError, Problem};

const DOMAIN: &str = "
(define (domain museum)
  (:requirements :adl)
  (:types room item - object painting statue - item)
  (:predicates (in ?i - item ?r - room) (at ?r - room) (door ?a ?b - room) (alarm) (dusty ?i - item) (heavy ?i - item)
               (guarded ?r - room) (seen ?i - item))
  (:action walk :parameters (?a ?b - room)
    :precondition (and (at ?a) (or (door ?a ?b) (door ?b ?a)))
    :effect (and (not (at ?a)) (at ?b) (forall (?i - item) (when (in ?i ?b) (seen ?i)))))
  (:action dust :parameters (?i - item)
    :precondition (and (dusty ?i) (exists (?r - room) (and (at ?r) (in ?i ?r) (not (guarded ?r)))))
    :effect (not (dusty ?i)))
  (:action ring :parameters () :precondition () :effect (and (when (alarm) (not (alarm))) (when (not (alarm)) (alarm))))
  (:action stare :parameters (?i - item)
    :precondition (and (seen ?i) (forall (?j - painting) (imply (not (= ?i ?j)) (not (dusty ?j)))))
    :effect (seen ?i))
  (:action leave :parameters () :precondition (forall (?i - item) (seen ?i)) :effect (alarm)))";

const PROBLEM: &str = "
(define (problem small) (:domain museum)
  (:objects hall_1 hall_2 vault_1 - room mona_1 - painting david_1 venus_2 - statue)
  (:init (at hall_1) (door hall_1 hall_2) (door hall_2 vault_1) (guarded vault_1)
         (in mona_1 hall_2) (in david_1 hall_2) (in venus_2 vault_1) (dusty mona_1) (dusty venus_2))
  (:goal (and (not (exists (?p - painting) (dusty ?p))) (alarm) (forall (?s - statue) (seen ?s)))))";

const GRAMMAR: &str = r##"
# A comment.
grammar :: """{
  "intro": [{"rhs": "  Welcome.\n\n#room#"}],
  "room": [{"rhs": "You are in [{b.name | at(b:room)}] with [{i.name | at(b:room) & in(i:item, b:room)}]."}],
  "list_empty": [{"rhs": "nobody"}], "list_separator": [{"rhs": ", "}], "list_last_separator": [{"rhs": " , and "}],
  "clean": [{"condition": "not_dusty(i:item)", "rhs": "clean now"}, {"rhs": "never dusted"}]
}""";
action walk { template :: "walk to {b}"; feedback :: "#room#"; }
action dust { template :: "dust {i}"; feedback :: "{i.definite + ' ' + i.name} is #clean#."; }
action ring { template :: "ring"; feedback :: "Ring! [{r.name or r.id | at(r:room)}]"; }
action stare { template :: "stare at {i}"; feedback :: "Hm."; }
action leave { template :: "leave"; feedback :: "Bye."; grammar :: """{
   # a comment inside
   "unused": [{"rhs": "{x.name}"}] }"""; }
"##;

fn file() -> GameFile<'static> {
    GameFile {
        pddl_domain: Cow::Borrowed(DOMAIN),
        grammar: Cow::Borrowed(GRAMMAR),
        pddl_problem: Cow::Borrowed(PROBLEM),
        solvable: None,
        walkthrough: None,
        naming: Naming::Readable,
    }
}

fn session() -> Session {
    Session::new(Arc::new(Game::new(&file()).unwrap()))
}

#[test]
fn another_domain_is_played_to_its_end() {
    let mut session = session();
    assert_eq!(
        session.reset().unwrap(),
        "Welcome.\n\nYou are in hall 1 with nobody."
    );
    assert_eq!(session.admissible().unwrap(), ["ring", "walk to hall 2"]);
    assert_eq!(
        session.step(" walk to hall 2 ").unwrap().observation,
        "You are in hall 2 with david 1, and mona 1."
    );
    assert_eq!(
        session.admissible().unwrap(),
        ["dust mona 1", "ring", "walk to hall 1", "walk to vault 1"]
    );
    assert_eq!(
        session.step("dust mona 1").unwrap().observation,
        "the mona 1 is clean now."
    );
    assert_eq!(session.step("ring").unwrap().observation, "Ring! hall 2");
    assert!(!session.is_won().unwrap());
    let last = session.step("walk to vault 1").unwrap();
    assert_eq!((last.won, last.done, last.score), (true, true, 1.0));
    // The guarded room keeps its dust; everything is seen now.
    assert_eq!(
        session.admissible().unwrap(),
        ["leave", "ring", "walk to hall 2"]
    );
    assert_eq!(
        session.step("dust venus 2").unwrap().observation,
        "Nothing happens."
    );
    session.step("ring").unwrap();
    assert!(
        !session.is_won().unwrap(),
        "ringing twice turns the alarm off"
    );
    assert_eq!(
        session.reset().unwrap(),
        "Welcome.\n\nYou are in hall 1 with nobody."
    );
    assert_eq!(session.admissible().unwrap(), ["ring", "walk to hall 2"]);
}

#[test]
fn two_variables_never_stand_for_one_entity() {
    // As in TextWorld: after `walk`, whose parameter `b` is the room entered, `r` cannot be that room too.
    let grammar = GRAMMAR.replace("{b.name | at(b:room)}", "{r.name | at(r:room)}");
    let mut session = Session::new(Arc::new(with_grammar(&grammar).unwrap()));
    assert_eq!(
        session.reset().unwrap(),
        "Welcome.\n\nYou are in hall 1 with nobody."
    );
    let observation = session.step("walk to hall 2").unwrap().observation;
    assert_eq!(observation, "You are in nobody with david 1, and mona 1.");
}

#[test]
fn an_action_that_changes_nothing_does_not_exist() {
    // `stare` only states what its precondition states, so the planner behind TextWorld drops it.
    let mut session = session();
    session.reset().unwrap();
    session.step("walk to hall 2").unwrap();
    session.step("dust mona 1").unwrap();
    assert!(
        !session
            .admissible()
            .unwrap()
            .iter()
            .any(|command| command.starts_with("stare"))
    );
}

fn domain_error(domain: &str) -> PddlError {
    Domain::parse(domain, &Limits::default()).unwrap_err()
}

#[test]
fn malformed_pddl_is_refused_with_its_place() {
    let unclosed = domain_error("(define (domain d)\n  (:predicates (p))");
    assert!(
        matches!(unclosed, PddlError::Unclosed { at } if at.line == 1 && at.column == 1),
        "{unclosed}"
    );
    let empty = domain_error(" ; nothing\n");
    assert!(matches!(empty, PddlError::Expected { .. }), "{empty}");
    let more = domain_error("(define (domain d)) )");
    assert!(more.to_string().starts_with("line 1, column 21"), "{more}");
    let undeclared = domain_error(
        "(define (domain d) (:predicates (p))\n (:action a :precondition (q) :effect (p)))",
    );
    assert!(
        matches!(&undeclared, PddlError::UndeclaredPredicate { at, name } if at.line == 2 && name == "q")
    );
    let arity = domain_error(
        "(define (domain d) (:predicates (p ?x)) (:action a :parameters (?x) :effect (p ?x ?x)))",
    );
    assert!(
        matches!(
            arity,
            PddlError::WrongArity {
                expected: 1,
                found: 2,
                ..
            }
        ),
        "{arity}"
    );
    let either = domain_error("(define (domain d) (:types a - (either b c)))");
    assert!(matches!(either, PddlError::Expected { .. }), "{either}");
    let derived = domain_error("(define (domain d) (:derived (p) (q)))");
    assert!(
        matches!(derived, PddlError::Unsupported { .. }),
        "{derived}"
    );
    let ascii = domain_error("(define (domain d\u{e9}))");
    assert!(matches!(ascii, PddlError::NotAscii { .. }), "{ascii}");
}

#[test]
fn pddl_beyond_the_limits_is_refused() {
    let deep = "(".repeat(100);
    assert!(matches!(
        domain_error(&deep),
        PddlError::TooDeep { limit: 64, .. }
    ));
    let limits = Limits {
        max_bytes: 10,
        ..Limits::default()
    };
    assert!(matches!(
        Domain::parse("(define (domain d))", &limits),
        Err(PddlError::TooLarge { .. })
    ));
    let limits = Limits {
        max_nodes: 5,
        ..Limits::default()
    };
    assert!(matches!(
        Domain::parse("(define (domain d))", &limits),
        Err(PddlError::TooMany { .. })
    ));
}

fn logic_error(domain: &str, problem: &str) -> LogicError {
    let domain = Domain::parse(domain, &Limits::default()).unwrap();
    let problem = Problem::parse(problem, &domain, &Limits::default()).unwrap();
    Task::new(&domain, &problem).unwrap_err()
}

#[test]
fn tasks_that_make_no_sense_are_refused() {
    let other = "(define (problem p) (:domain zoo))";
    let domain = Domain::parse(DOMAIN, &Limits::default()).unwrap();
    let error = Problem::parse(other, &domain, &Limits::default()).unwrap_err();
    assert!(matches!(error, PddlError::OtherDomain { .. }), "{error}");
    let unknown_type = logic_error(
        DOMAIN,
        "(define (problem p) (:domain museum) (:objects x - zebra))",
    );
    assert!(
        matches!(unknown_type, LogicError::UnknownType { .. }),
        "{unknown_type}"
    );
    let twice = logic_error(
        DOMAIN,
        "(define (problem p) (:domain museum) (:objects x x - room))",
    );
    assert!(matches!(twice, LogicError::TwiceDeclared { .. }), "{twice}");
    let unknown = logic_error(
        DOMAIN,
        "(define (problem p) (:domain museum) (:init (at nowhere)))",
    );
    assert!(
        matches!(unknown, LogicError::UnknownName { .. }),
        "{unknown}"
    );
    let parts = "(or (p) (q)) ".repeat(30);
    let complex = format!(
        "(define (domain d) (:predicates (p) (q)) (:action a :precondition (and {parts}) :effect (p)))"
    );
    let complex = logic_error(&complex, "(define (problem p) (:domain d))");
    assert!(
        matches!(complex, LogicError::TooComplex { .. }),
        "{complex}"
    );
}

fn with_grammar(grammar: &str) -> Result<Game, GameError> {
    Game::new(&GameFile {
        grammar: Cow::Owned(grammar.to_owned()),
        ..file()
    })
}

#[test]
fn malformed_grammars_are_refused() {
    let missing = with_grammar("").unwrap_err();
    assert!(
        matches!(
            missing,
            GameError::Grammar(GrammarError::MissingAction { .. })
        ),
        "{missing:?}"
    );
    let block = with_grammar("\nrules :: x").unwrap_err();
    assert!(
        matches!(
            block,
            GameError::Grammar(GrammarError::Expected { line: 2, .. })
        ),
        "{block:?}"
    );
    let rules = with_grammar("grammar :: \"\"\"[]\"\"\";").unwrap_err();
    assert!(
        matches!(
            rules,
            GameError::Grammar(GrammarError::Rules { line: 1, .. })
        ),
        "{rules:?}"
    );
    let condition = with_grammar(&GRAMMAR.replace("not_dusty(i:item)", "not_dusty i")).unwrap_err();
    assert!(
        matches!(
            condition,
            GameError::Grammar(GrammarError::Condition { .. })
        ),
        "{condition:?}"
    );
    let expression = with_grammar(&GRAMMAR.replace("i.definite", "i.weight")).unwrap_err();
    assert!(
        matches!(
            expression,
            GameError::Grammar(GrammarError::Expression { .. })
        ),
        "{expression:?}"
    );
}

fn first_text(intro: &str) -> Result<String, GameError> {
    let grammar = GRAMMAR.replace("  Welcome.\\n\\n#room#", intro);
    Session::new(Arc::new(with_grammar(&grammar)?)).reset()
}

#[test]
fn texts_without_end_are_refused() {
    let is = |result: Result<String, GameError>, what: &str| match result.unwrap_err() {
        GameError::Render(RenderError::TooLong { what: found, .. }) => assert_eq!(found, what),
        other => panic!("{other:?}"),
    };
    is(first_text("x#intro#"), "nested rules");
    let unknown = first_text("#nowhere#").unwrap_err();
    assert!(
        matches!(unknown, GameError::Render(RenderError::UnknownRule { .. })),
        "{unknown:?}"
    );
    let unbound = first_text("{i.name}").unwrap_err();
    assert!(
        matches!(unbound, GameError::Render(RenderError::NoValue { .. })),
        "{unbound:?}"
    );
    // Twenty levels that each double the text.
    let mut grammar = GRAMMAR.replace("#room#\"}],", "#a0#\"}],");
    let rules: String = (0..20)
        .map(|i| format!("\"a{i}\": [{{\"rhs\": \"#a{0}##a{0}#\"}}], ", i + 1))
        .collect();
    grammar = grammar.replace(
        "\"room\":",
        &format!("{rules}\"a20\": [{{\"rhs\": \"x\"}}], \"room\":"),
    );
    is(
        Session::new(Arc::new(with_grammar(&grammar).unwrap())).reset(),
        "expansions",
    );
}

#[test]
fn games_that_take_forever_are_refused() {
    // Sixteen free parameters over three rooms are 43 million things that can be done.
    let parameters: String = (0..16).map(|i| format!("?p{i} - room ")).collect();
    let action =
        format!("(:action spin :parameters ({parameters}) :precondition () :effect (alarm))");
    let file = GameFile {
        pddl_domain: Cow::Owned(DOMAIN.replacen(
            "(:action ring",
            &format!("{action}\n(:action ring"),
            1,
        )),
        grammar: Cow::Owned(format!(
            "{GRAMMAR}\naction spin {{ template :: \"spin\"; feedback :: \"Whee.\"; }}"
        )),
        ..file()
    };
    let mut session = Session::new(Arc::new(Game::new(&file).unwrap()));
    session.reset().unwrap();
    let error = session.admissible().unwrap_err();
    assert!(
        matches!(error, GameError::Judge(LogicError::TooMany { .. })),
        "{error:?}"
    );
    // Forty variables that agree with nothing.
    let variables: String = (0..40).map(|i| format!("?v{i} - room ")).collect();
    let goal = format!("(exists ({variables}) (and (at ?v0) (guarded ?v39) (dusty ?v1)))");
    let (start, _) = PROBLEM.split_once("(:goal").unwrap();
    let file = GameFile {
        pddl_problem: Cow::Owned(format!("{start} (:goal (not {goal})))")),
        ..file
    };
    assert!(
        Session::new(Arc::new(Game::new(&file).unwrap()))
            .is_won()
            .unwrap()
    );
    let goal = goal.replace("(dusty ?v1)", "(forall (?x - room) (door ?x ?v1))");
    let file = GameFile {
        pddl_problem: Cow::Owned(format!("{start} (:goal {goal}))")),
        ..file
    };
    let error = Session::new(Arc::new(Game::new(&file).unwrap()))
        .is_won()
        .unwrap_err();
    assert!(
        matches!(error, GameError::Judge(LogicError::TooMuchWork { .. })),
        "{error:?}"
    );
    // A list over all triples of triples of things.
    let many = "in(a:item, r:room) & in(b:item, s:room) & in(c:item, t:room)";
    let text = (0..40)
        .map(|_| format!("[{{a.name | {many}}}]"))
        .collect::<String>();
    first_text(&text).unwrap();
}

#[test]
fn a_text_ends_where_it_cannot_be_read() {
    // TextWorld drops the rest without a word; ALFWorld's own grammar has such a rule.
    assert_eq!(first_text("   start {unclosed").unwrap(), "start ");
    assert_eq!(
        first_text("[{i.name | at(r:room) & in(i:item, r:room)}] here; lost").unwrap(),
        "nobody here"
    );
}

#[test]
fn alfworld_names_count_down_within_a_kind() {
    let rename = |text: &str| {
        text.replace("hall_1", "hall_bar_a")
            .replace("hall_2", "hall_bar_b")
            .replace("vault_1", "sink_bar_c_bar_sinkbasin")
    };
    let file = GameFile {
        pddl_problem: Cow::Owned(rename(PROBLEM)),
        naming: Naming::Alfred,
        ..file()
    };
    let mut session = Session::new(Arc::new(Game::new(&file).unwrap()));
    assert_eq!(
        session.reset().unwrap(),
        "Welcome.\n\nYou are in hall 2 with nobody."
    );
    session.step("walk to hall 1").unwrap();
    assert!(
        session
            .admissible()
            .unwrap()
            .contains(&"walk to sinkbasin 1".to_owned())
    );
}

#[test]
fn files_that_are_no_games_are_refused() {
    assert!(matches!(Game::from_json(b"{}"), Err(GameError::Json(_))));
    assert!(matches!(
        Game::from_json(&vec![b' '; 17 << 20]),
        Err(GameError::TooLarge { .. })
    ));
}
