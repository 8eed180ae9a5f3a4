//! From files to snapshots, without a server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use konstruct_domain::Kind;
use konstruct_domain::ids::ProviderName;
use konstruct_domain::snapshot::ProviderOwner;
use konstruct_store::Keyring;
use tempfile::TempDir;

use super::admission::Admission;
use super::compile::{Compiled, Known, Snapshot, compile};
use super::folder::Folder;
use super::model::FoundModel;
use super::problem::Problem;

/// A folder of manifests and what has been accepted of it.
struct Scene {
    path: TempDir,
    folder: Folder,
    admission: Admission,
    model: Option<FoundModel>,
}

impl Scene {
    fn of_samples() -> Self {
        let path = tempfile::tempdir().unwrap();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples");
        for entry in fs::read_dir(samples).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), path.path().join(entry.file_name())).unwrap();
        }
        let folder = Folder::new(path.path().to_owned());
        Self { path, folder, admission: Admission::new(), model: None }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.path.path().join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    fn add(&self, file: &str, text: &str) {
        fs::write(self.path.path().join(file), text).unwrap();
    }

    fn compile(&mut self) -> (Compiled, Vec<Problem>) {
        let reading = self.folder.read().unwrap();
        let (objects, mut problems) = self.admission.admit(&reading);
        let keyring = Keyring::new(Some([1; 32]), Some([2; 32]));
        let known = Known { keyring: &keyring, in_force: &BTreeSet::new(), model: self.model.as_ref() };
        let compiled = compile(&objects, &known).unwrap();
        problems.extend(reading.problems);
        problems.extend(compiled.problems.clone());
        (compiled, problems)
    }

    /// The one problem, as it is printed, without the folder.
    fn problem(&mut self) -> String {
        let (_, problems) = self.compile();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems[0].to_string().replace(&format!("{}/", self.path.path().display()), "")
    }
}

fn count(compiled: &Compiled, kind: Kind) -> usize {
    compiled.items.keys().filter(|key| key.kind == kind).count()
}

#[test]
fn the_samples_have_no_problem() {
    let (compiled, problems) = Scene::of_samples().compile();
    assert_eq!(problems, []);
    let counts = Kind::ALL.map(|kind| (kind, count(&compiled, kind)));
    let expected =
        [(Kind::Tenant, 2), (Kind::Agent, 3), (Kind::ChannelConnection, 5), (Kind::LLMProvider, 2)];
    assert_eq!(counts, expected);
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_field() {
    let cases = [
        ("20-acme.yaml", "provider: demo", "provider: nobody", "20-acme.yaml:16: spec.models[0].provider: "),
        ("20-acme.yaml", "model: scripted-demo", "model: other", "20-acme.yaml:17: spec.models[0].model: "),
        ("20-acme.yaml", "agent: max", "agent: moritz", "20-acme.yaml:54: spec.agent: "),
        ("20-acme.yaml", "key: botToken", "key: token", "20-acme.yaml:71: spec.slack.botTokenRef.key: "),
        ("20-acme.yaml", "role: sales", "rolle: sales", "20-acme.yaml:26: spec.rolle: "),
        (
            "20-acme.yaml",
            "windowMessages: 12",
            "windowMessages: 999",
            "20-acme.yaml:35: spec.memory.windowMessages: ",
        ),
        ("20-acme.yaml", "teamId: T0ACMEDEMO", "teamId: acme", "20-acme.yaml:68: spec.slack.teamId: "),
        (
            "30-globex.yaml",
            "namespace: kt-globex",
            "namespace: kt-globe",
            "30-globex.yaml:7: metadata.namespace: ",
        ),
        (
            "30-globex.yaml",
            "teamId: T0GLOBEXDEMO",
            "teamId: T0ACMEDEMO",
            "30-globex.yaml:66: spec.slack.teamId: ",
        ),
        ("00-tenants.yaml", "memory: 1Gi", "memory: plenty", "00-tenants.yaml:21: spec.quota.memory: "),
    ];
    for (file, from, to, expected) in cases {
        let mut scene = Scene::of_samples();
        scene.edit(file, from, to);
        let said = scene.compile().1;
        let first = said.first().map(ToString::to_string).unwrap_or_default();
        assert!(first.contains(expected), "{from} -> {to}: {first}");
    }
}

#[test]
fn what_is_refused_stays_as_it_was() {
    let mut scene = Scene::of_samples();
    scene.compile();
    scene.edit("00-tenants.yaml", "slug: acme", "slug: acme2");
    assert!(scene.problem().contains("00-tenants.yaml:9: spec.slug: "), "{}", scene.problem());
    let (compiled, _) = scene.compile();
    assert_eq!((compiled.tenants.len(), count(&compiled, Kind::Agent)), (2, 3));
    assert!(scene.admission.is_complete());
}

#[test]
fn nothing_counts_as_deleted_while_something_is_unknown() {
    let mut scene = Scene::of_samples();
    scene.edit("00-tenants.yaml", "displayName: Globex", "displayName: 7");
    scene.compile();
    assert!(!scene.admission.is_complete());
    scene.edit("00-tenants.yaml", "displayName: 7", "displayName: Globex");
    scene.compile();
    assert!(scene.admission.is_complete());
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let mut scene = Scene::of_samples();
    scene.add("configmap.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata: {}\n");
    scene.add("notes.txt", "kind: [");
    assert_eq!(scene.compile().1, []);
    scene.add("compose.yaml", "services: {}\n");
    assert!(scene.problem().starts_with("compose.yaml:1: "));
}

#[test]
fn a_found_model_leads_only_scripted_chains() {
    let mut scene = Scene::of_samples();
    scene.model = Some(FoundModel::ollama("qwen3:4b".to_owned()).unwrap());
    scene.add(
        "40-own.yaml",
        "apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\nmetadata: {name: own, namespace: kt-acme}\n\
         spec: {openai: {baseUrl: \"http://127.0.0.1:1/v1\"}, models: [m]}\n---\n\
         apiVersion: konstruct.dev/v1alpha1\nkind: Agent\nmetadata: {name: eve, namespace: kt-acme}\n\
         spec: {displayName: Eve, models: [{provider: own, model: m}, {provider: demo, model: scripted-demo}]}\n",
    );
    let (compiled, problems) = scene.compile();
    assert_eq!(problems, []);
    let head = |name: &str| {
        compiled.items.iter().find_map(|(key, item)| match &item.snapshot {
            Snapshot::Agent(agent) if key.name == name => {
                Some((agent.models[0].owner, agent.models[0].provider.clone()))
            }
            _ => None,
        })
    };
    let provider = |name: &str| name.parse::<ProviderName>().unwrap();
    assert_eq!(head("ada"), Some((ProviderOwner::Platform, provider("dev-ollama"))));
    assert_eq!(head("eve"), Some((ProviderOwner::Tenant, provider("own"))));
}
