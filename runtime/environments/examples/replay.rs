//! quick replay
use std::io::BufRead;
use std::sync::Arc;
use stride_environments::alfworld::*;
use std::time::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let f = std::io::BufReader::new(std::fs::File::open(&a[1]).unwrap());
    let (mut n, mut bad, mut games) = (0, 0, 0);
    let (mut tl, mut ts) = (Duration::ZERO, Duration::ZERO);
    for line in f.lines() {
        let t: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let name = t["game"].as_str().unwrap();
        let json = std::fs::read(format!("{}/{name}", a[2])).unwrap();
        let t0 = Instant::now();
        let game = Game::from_json(&json).unwrap();
        tl += t0.elapsed();
        games += 1;
        let mut s = Session::new(Arc::new(game));
        let init = s.reset().unwrap();
        let mut fail = |what: &str, want: &str, got: &str| { bad += 1; if bad < 10 { println!("{name} {what}\n want {want:?}\n  got {got:?}"); } };
        if init != t["initial"].as_str().unwrap() { fail("initial", t["initial"].as_str().unwrap(), &init); }
        let adm = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let w = adm(&t["admissible"]); let g = s.admissible().unwrap();
        if w != g { fail("adm", &w.join("|"), &g.join("|")); }
        for st in t["steps"].as_array().unwrap() {
            n += 1;
            let t0 = Instant::now();
            let r = s.step(st["action"].as_str().unwrap()).unwrap();
            let g = s.admissible().unwrap();
            ts += t0.elapsed();
            if r.observation != st["observation"].as_str().unwrap() { fail("obs", st["observation"].as_str().unwrap(), &r.observation); }
            let w = adm(&st["admissible"]);
            if w != g { fail(&format!("adm after {}", st["action"]), &w.join("|"), &g.join("|")); }
            if r.won != st["won"].as_bool().unwrap() || r.done != st["done"].as_bool().unwrap() || f64::from(r.score) != st["score"].as_f64().unwrap() { fail("won", &st["won"].to_string(), ""); }
        }
    }
    println!("replayed {n} steps in {games} games: {bad} mismatches; load {:?} step {:?}", tl / games, ts / n);
}
