{{/* Rights to what is inside tenants' namespaces: in the whole cluster, or with rbac.namespaced in those of watchNamespaces. */}}

{{- define "konstruct.operatorInside" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch]
{{ include "konstruct.writesEvents" . }}
{{- end -}}

{{- define "konstruct.provisionerInside" -}}
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [limitranges, serviceaccounts]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
# What the workload controller may do inside comes with a RoleBinding to exactly this role.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [konstruct-tenant-workload]
  verbs: [bind]
{{ include "konstruct.writesEvents" . }}
{{- end -}}

{{- define "konstruct.writesEvents" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/*
A Role with its binding in each given namespace, and events in those where Kubernetes keeps them: of Tenants in default, of
shared providers in ours. Takes a role with "rules".
*/}}
{{- define "konstruct.rightsInside" -}}
{{- if .root.Values.rbac.namespaced }}
{{- $events := include "konstruct.writesEvents" .root }}
{{- $places := dict "default" $events .root.Release.Namespace $events }}
{{- range .root.Values.watchNamespaces }}{{ $_ := set $places . $.rules }}{{ end }}
{{- range $namespace, $rules := $places }}
{{- $name := printf "%s-%s-inside" (include "konstruct.fullname" $.root) $.role }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  {{- include "konstruct.labels" $ | nindent 2 }}
rules:
{{ $rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  {{- include "konstruct.labels" $ | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
subjects: [{kind: ServiceAccount, name: {{ include "konstruct.fullname" $.root }}-{{ $.role }}, namespace: {{ $.root.Release.Namespace }}}]
{{- end }}
{{- end }}
{{- end -}}
