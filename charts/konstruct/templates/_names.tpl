{{/* Names and labels. Roles are called operator, gateway, ai-gateway and migrate everywhere but in the values. */}}

{{- define "konstruct.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-konstruct" .Release.Name) (contains "konstruct" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that never change: what Deployments select. Takes (dict "root" $ "role" "gateway"). */}}
{{- define "konstruct.selector" -}}
app.kubernetes.io/name: konstruct-{{ .role }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* Labels of pods. Without a version: a new chart alone restarts nothing. */}}
{{- define "konstruct.podLabels" -}}
{{ include "konstruct.selector" . }}
app.kubernetes.io/component: {{ .role }}
app.kubernetes.io/part-of: konstruct
{{- end -}}

{{/* The metadata of an object in the release's namespace: (dict "root" $ "role" "gateway" "name" "gateway-metrics"). */}}
{{- define "konstruct.metadata" -}}
name: {{ include "konstruct.fullname" .root }}-{{ .name | default .role }}
namespace: {{ .root.Release.Namespace }}
{{ include "konstruct.labels" . }}
{{- end -}}

{{/* Labels and annotations of any object; "annotations" and "labels" add to the common ones. */}}
{{- define "konstruct.labels" -}}
{{- $labels := include "konstruct.podLabels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
labels:
  {{- toYaml (merge $labels (.labels | default dict) .root.Values.commonLabels) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image as containers name it: (dict "image" .Values.image "tag" "the default tag"). */}}
{{- define "konstruct.imageName" -}}
{{- $image := .image.repository -}}
{{- with .image.tag | default .tag }}{{ $image = printf "%s:%s" $image . }}{{ end -}}
{{- with .image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end -}}
{{- $image -}}
{{- end -}}

{{- define "konstruct.image" -}}
{{- include "konstruct.imageName" (dict "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end -}}

{{- define "konstruct.runtimeImage" -}}
{{- if .Values.runtime.image.repository -}}
{{- include "konstruct.imageName" (dict "image" .Values.runtime.image "tag" .Chart.AppVersion) -}}
{{- else -}}
{{- include "konstruct.image" . -}}
{{- end -}}
{{- end -}}

{{- define "konstruct.priorityClass" -}}
{{- $made := ternary (include "konstruct.fullname" .) "" .Values.priorityClass.create -}}
{{- .Values.priorityClass.name | default $made -}}
{{- end -}}

{{/* Whether the cluster answers: not with "helm template", a client's dry run or a namespace that is still to be made. */}}
{{- define "konstruct.connected" -}}
{{- if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" }}true{{ end -}}
{{- end -}}
