"""The types of a Kubernetes pod's spec, as Go's encoding/json decodes them: k8s.io/api v0.36.3, core/v1.PodSpec.

Written by scripts/pod_types/main.go, by reflection; do not edit. A line is a struct, then its fields in order: their
names in JSON with the types that Go's errors name; "+" is an embedded struct.
"""

STRUCTS = """
PodSpec volumes:[]v1.Volume initContainers:[]v1.Container containers:[]v1.Container
  ephemeralContainers:[]v1.EphemeralContainer restartPolicy:v1.RestartPolicy terminationGracePeriodSeconds:int64
  activeDeadlineSeconds:int64 dnsPolicy:v1.DNSPolicy nodeSelector:map[string]string serviceAccountName:string
  serviceAccount:string automountServiceAccountToken:bool nodeName:string hostNetwork:bool hostPID:bool hostIPC:bool
  shareProcessNamespace:bool securityContext:v1.PodSecurityContext imagePullSecrets:[]v1.LocalObjectReference
  hostname:string subdomain:string affinity:v1.Affinity schedulerName:string tolerations:[]v1.Toleration
  hostAliases:[]v1.HostAlias priorityClassName:string priority:int32 dnsConfig:v1.PodDNSConfig
  readinessGates:[]v1.PodReadinessGate runtimeClassName:string enableServiceLinks:bool
  preemptionPolicy:v1.PreemptionPolicy overhead:v1.ResourceList
  topologySpreadConstraints:[]v1.TopologySpreadConstraint setHostnameAsFQDN:bool os:v1.PodOS hostUsers:bool
  schedulingGates:[]v1.PodSchedulingGate resourceClaims:[]v1.PodResourceClaim resources:v1.ResourceRequirements
  hostnameOverride:string schedulingGroup:v1.PodSchedulingGroup
Volume name:string +VolumeSource
VolumeSource hostPath:v1.HostPathVolumeSource emptyDir:v1.EmptyDirVolumeSource
  gcePersistentDisk:v1.GCEPersistentDiskVolumeSource awsElasticBlockStore:v1.AWSElasticBlockStoreVolumeSource
  gitRepo:v1.GitRepoVolumeSource secret:v1.SecretVolumeSource nfs:v1.NFSVolumeSource iscsi:v1.ISCSIVolumeSource
  glusterfs:v1.GlusterfsVolumeSource persistentVolumeClaim:v1.PersistentVolumeClaimVolumeSource rbd:v1.RBDVolumeSource
  flexVolume:v1.FlexVolumeSource cinder:v1.CinderVolumeSource cephfs:v1.CephFSVolumeSource
  flocker:v1.FlockerVolumeSource downwardAPI:v1.DownwardAPIVolumeSource fc:v1.FCVolumeSource
  azureFile:v1.AzureFileVolumeSource configMap:v1.ConfigMapVolumeSource
  vsphereVolume:v1.VsphereVirtualDiskVolumeSource quobyte:v1.QuobyteVolumeSource azureDisk:v1.AzureDiskVolumeSource
  photonPersistentDisk:v1.PhotonPersistentDiskVolumeSource projected:v1.ProjectedVolumeSource
  portworxVolume:v1.PortworxVolumeSource scaleIO:v1.ScaleIOVolumeSource storageos:v1.StorageOSVolumeSource
  csi:v1.CSIVolumeSource ephemeral:v1.EphemeralVolumeSource image:v1.ImageVolumeSource
HostPathVolumeSource path:string type:v1.HostPathType
EmptyDirVolumeSource medium:v1.StorageMedium sizeLimit:resource.Quantity
GCEPersistentDiskVolumeSource pdName:string fsType:string partition:int32 readOnly:bool
AWSElasticBlockStoreVolumeSource volumeID:string fsType:string partition:int32 readOnly:bool
GitRepoVolumeSource repository:string revision:string directory:string
SecretVolumeSource secretName:string items:[]v1.KeyToPath defaultMode:int32 optional:bool
KeyToPath key:string path:string mode:int32
NFSVolumeSource server:string path:string readOnly:bool
ISCSIVolumeSource targetPortal:string iqn:string lun:int32 iscsiInterface:string fsType:string readOnly:bool
  portals:[]string chapAuthDiscovery:bool chapAuthSession:bool secretRef:v1.LocalObjectReference initiatorName:string
LocalObjectReference name:string
GlusterfsVolumeSource endpoints:string path:string readOnly:bool
PersistentVolumeClaimVolumeSource claimName:string readOnly:bool
RBDVolumeSource monitors:[]string image:string fsType:string pool:string user:string keyring:string
  secretRef:v1.LocalObjectReference readOnly:bool
FlexVolumeSource driver:string fsType:string secretRef:v1.LocalObjectReference readOnly:bool options:map[string]string
CinderVolumeSource volumeID:string fsType:string readOnly:bool secretRef:v1.LocalObjectReference
CephFSVolumeSource monitors:[]string path:string user:string secretFile:string secretRef:v1.LocalObjectReference
  readOnly:bool
FlockerVolumeSource datasetName:string datasetUUID:string
DownwardAPIVolumeSource items:[]v1.DownwardAPIVolumeFile defaultMode:int32
DownwardAPIVolumeFile path:string fieldRef:v1.ObjectFieldSelector resourceFieldRef:v1.ResourceFieldSelector mode:int32
ObjectFieldSelector apiVersion:string fieldPath:string
ResourceFieldSelector containerName:string resource:string divisor:resource.Quantity
FCVolumeSource targetWWNs:[]string lun:int32 fsType:string readOnly:bool wwids:[]string
AzureFileVolumeSource secretName:string shareName:string readOnly:bool
ConfigMapVolumeSource +LocalObjectReference items:[]v1.KeyToPath defaultMode:int32 optional:bool
VsphereVirtualDiskVolumeSource volumePath:string fsType:string storagePolicyName:string storagePolicyID:string
QuobyteVolumeSource registry:string volume:string readOnly:bool user:string group:string tenant:string
AzureDiskVolumeSource diskName:string diskURI:string cachingMode:v1.AzureDataDiskCachingMode fsType:string
  readOnly:bool kind:v1.AzureDataDiskKind
PhotonPersistentDiskVolumeSource pdID:string fsType:string
ProjectedVolumeSource sources:[]v1.VolumeProjection defaultMode:int32
VolumeProjection secret:v1.SecretProjection downwardAPI:v1.DownwardAPIProjection configMap:v1.ConfigMapProjection
  serviceAccountToken:v1.ServiceAccountTokenProjection clusterTrustBundle:v1.ClusterTrustBundleProjection
  podCertificate:v1.PodCertificateProjection
SecretProjection +LocalObjectReference items:[]v1.KeyToPath optional:bool
DownwardAPIProjection items:[]v1.DownwardAPIVolumeFile
ConfigMapProjection +LocalObjectReference items:[]v1.KeyToPath optional:bool
ServiceAccountTokenProjection audience:string expirationSeconds:int64 path:string
ClusterTrustBundleProjection name:string signerName:string labelSelector:v1.LabelSelector optional:bool path:string
LabelSelector matchLabels:map[string]string matchExpressions:[]v1.LabelSelectorRequirement
LabelSelectorRequirement key:string operator:v1.LabelSelectorOperator values:[]string
PodCertificateProjection signerName:string keyType:string maxExpirationSeconds:int32 credentialBundlePath:string
  keyPath:string certificateChainPath:string userAnnotations:map[string]string
PortworxVolumeSource volumeID:string fsType:string readOnly:bool
ScaleIOVolumeSource gateway:string system:string secretRef:v1.LocalObjectReference sslEnabled:bool
  protectionDomain:string storagePool:string storageMode:string volumeName:string fsType:string readOnly:bool
StorageOSVolumeSource volumeName:string volumeNamespace:string fsType:string readOnly:bool
  secretRef:v1.LocalObjectReference
CSIVolumeSource driver:string readOnly:bool fsType:string volumeAttributes:map[string]string
  nodePublishSecretRef:v1.LocalObjectReference
EphemeralVolumeSource volumeClaimTemplate:v1.PersistentVolumeClaimTemplate
PersistentVolumeClaimTemplate metadata:v1.ObjectMeta spec:v1.PersistentVolumeClaimSpec
ObjectMeta name:string generateName:string namespace:string selfLink:string uid:types.UID resourceVersion:string
  generation:int64 creationTimestamp:v1.Time deletionTimestamp:v1.Time deletionGracePeriodSeconds:int64
  labels:map[string]string annotations:map[string]string ownerReferences:[]v1.OwnerReference finalizers:[]string
  managedFields:[]v1.ManagedFieldsEntry
OwnerReference apiVersion:string kind:string name:string uid:types.UID controller:bool blockOwnerDeletion:bool
ManagedFieldsEntry manager:string operation:v1.ManagedFieldsOperationType apiVersion:string time:v1.Time
  fieldsType:string fieldsV1:v1.FieldsV1 subresource:string
PersistentVolumeClaimSpec accessModes:[]v1.PersistentVolumeAccessMode selector:v1.LabelSelector
  resources:v1.VolumeResourceRequirements volumeName:string storageClassName:string volumeMode:v1.PersistentVolumeMode
  dataSource:v1.TypedLocalObjectReference dataSourceRef:v1.TypedObjectReference volumeAttributesClassName:string
VolumeResourceRequirements limits:v1.ResourceList requests:v1.ResourceList
TypedLocalObjectReference apiGroup:string kind:string name:string
TypedObjectReference apiGroup:string kind:string name:string namespace:string
ImageVolumeSource reference:string pullPolicy:v1.PullPolicy
Container name:string image:string command:[]string args:[]string workingDir:string ports:[]v1.ContainerPort
  envFrom:[]v1.EnvFromSource env:[]v1.EnvVar resources:v1.ResourceRequirements resizePolicy:[]v1.ContainerResizePolicy
  restartPolicy:v1.ContainerRestartPolicy restartPolicyRules:[]v1.ContainerRestartRule volumeMounts:[]v1.VolumeMount
  volumeDevices:[]v1.VolumeDevice livenessProbe:v1.Probe readinessProbe:v1.Probe startupProbe:v1.Probe
  lifecycle:v1.Lifecycle terminationMessagePath:string terminationMessagePolicy:v1.TerminationMessagePolicy
  imagePullPolicy:v1.PullPolicy securityContext:v1.SecurityContext stdin:bool stdinOnce:bool tty:bool
ContainerPort name:string hostPort:int32 containerPort:int32 protocol:v1.Protocol hostIP:string
EnvFromSource prefix:string configMapRef:v1.ConfigMapEnvSource secretRef:v1.SecretEnvSource
ConfigMapEnvSource +LocalObjectReference optional:bool
SecretEnvSource +LocalObjectReference optional:bool
EnvVar name:string value:string valueFrom:v1.EnvVarSource
EnvVarSource fieldRef:v1.ObjectFieldSelector resourceFieldRef:v1.ResourceFieldSelector
  configMapKeyRef:v1.ConfigMapKeySelector secretKeyRef:v1.SecretKeySelector fileKeyRef:v1.FileKeySelector
ConfigMapKeySelector +LocalObjectReference key:string optional:bool
SecretKeySelector +LocalObjectReference key:string optional:bool
FileKeySelector volumeName:string path:string key:string optional:bool
ResourceRequirements limits:v1.ResourceList requests:v1.ResourceList claims:[]v1.ResourceClaim
ResourceClaim name:string request:string
ContainerResizePolicy resourceName:v1.ResourceName restartPolicy:v1.ResourceResizeRestartPolicy
ContainerRestartRule action:v1.ContainerRestartRuleAction exitCodes:v1.ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator:v1.ContainerRestartRuleOnExitCodesOperator values:[]int32
VolumeMount name:string readOnly:bool recursiveReadOnly:v1.RecursiveReadOnlyMode mountPath:string subPath:string
  mountPropagation:v1.MountPropagationMode subPathExpr:string
VolumeDevice name:string devicePath:string
Probe +ProbeHandler initialDelaySeconds:int32 timeoutSeconds:int32 periodSeconds:int32 successThreshold:int32
  failureThreshold:int32 terminationGracePeriodSeconds:int64
ProbeHandler exec:v1.ExecAction httpGet:v1.HTTPGetAction tcpSocket:v1.TCPSocketAction grpc:v1.GRPCAction
ExecAction command:[]string
HTTPGetAction path:string port:intstr.IntOrString host:string scheme:v1.URIScheme httpHeaders:[]v1.HTTPHeader
HTTPHeader name:string value:string
TCPSocketAction port:intstr.IntOrString host:string
GRPCAction port:int32 service:string
Lifecycle postStart:v1.LifecycleHandler preStop:v1.LifecycleHandler stopSignal:v1.Signal
LifecycleHandler exec:v1.ExecAction httpGet:v1.HTTPGetAction tcpSocket:v1.TCPSocketAction sleep:v1.SleepAction
SleepAction seconds:int64
SecurityContext capabilities:v1.Capabilities privileged:bool seLinuxOptions:v1.SELinuxOptions
  windowsOptions:v1.WindowsSecurityContextOptions runAsUser:int64 runAsGroup:int64 runAsNonRoot:bool
  readOnlyRootFilesystem:bool allowPrivilegeEscalation:bool procMount:v1.ProcMountType
  seccompProfile:v1.SeccompProfile appArmorProfile:v1.AppArmorProfile
Capabilities add:[]v1.Capability drop:[]v1.Capability
SELinuxOptions user:string role:string type:string level:string
WindowsSecurityContextOptions gmsaCredentialSpecName:string gmsaCredentialSpec:string runAsUserName:string
  hostProcess:bool
SeccompProfile type:v1.SeccompProfileType localhostProfile:string
AppArmorProfile type:v1.AppArmorProfileType localhostProfile:string
EphemeralContainer +EphemeralContainerCommon targetContainerName:string
EphemeralContainerCommon name:string image:string command:[]string args:[]string workingDir:string
  ports:[]v1.ContainerPort envFrom:[]v1.EnvFromSource env:[]v1.EnvVar resources:v1.ResourceRequirements
  resizePolicy:[]v1.ContainerResizePolicy restartPolicy:v1.ContainerRestartPolicy
  restartPolicyRules:[]v1.ContainerRestartRule volumeMounts:[]v1.VolumeMount volumeDevices:[]v1.VolumeDevice
  livenessProbe:v1.Probe readinessProbe:v1.Probe startupProbe:v1.Probe lifecycle:v1.Lifecycle
  terminationMessagePath:string terminationMessagePolicy:v1.TerminationMessagePolicy imagePullPolicy:v1.PullPolicy
  securityContext:v1.SecurityContext stdin:bool stdinOnce:bool tty:bool
PodSecurityContext seLinuxOptions:v1.SELinuxOptions windowsOptions:v1.WindowsSecurityContextOptions runAsUser:int64
  runAsGroup:int64 runAsNonRoot:bool supplementalGroups:[]int64 supplementalGroupsPolicy:v1.SupplementalGroupsPolicy
  fsGroup:int64 sysctls:[]v1.Sysctl fsGroupChangePolicy:v1.PodFSGroupChangePolicy seccompProfile:v1.SeccompProfile
  appArmorProfile:v1.AppArmorProfile seLinuxChangePolicy:v1.PodSELinuxChangePolicy
Sysctl name:string value:string
Affinity nodeAffinity:v1.NodeAffinity podAffinity:v1.PodAffinity podAntiAffinity:v1.PodAntiAffinity
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:v1.NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution:[]v1.PreferredSchedulingTerm
NodeSelector nodeSelectorTerms:[]v1.NodeSelectorTerm
NodeSelectorTerm matchExpressions:[]v1.NodeSelectorRequirement matchFields:[]v1.NodeSelectorRequirement
NodeSelectorRequirement key:string operator:v1.NodeSelectorOperator values:[]string
PreferredSchedulingTerm weight:int32 preference:v1.NodeSelectorTerm
PodAffinity requiredDuringSchedulingIgnoredDuringExecution:[]v1.PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:[]v1.WeightedPodAffinityTerm
PodAffinityTerm labelSelector:v1.LabelSelector namespaces:[]string topologyKey:string
  namespaceSelector:v1.LabelSelector matchLabelKeys:[]string mismatchLabelKeys:[]string
WeightedPodAffinityTerm weight:int32 podAffinityTerm:v1.PodAffinityTerm
PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution:[]v1.PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:[]v1.WeightedPodAffinityTerm
Toleration key:string operator:v1.TolerationOperator value:string effect:v1.TaintEffect tolerationSeconds:int64
HostAlias ip:string hostnames:[]string
PodDNSConfig nameservers:[]string searches:[]string options:[]v1.PodDNSConfigOption
PodDNSConfigOption name:string value:string
PodReadinessGate conditionType:v1.PodConditionType
TopologySpreadConstraint maxSkew:int32 topologyKey:string whenUnsatisfiable:v1.UnsatisfiableConstraintAction
  labelSelector:v1.LabelSelector minDomains:int32 nodeAffinityPolicy:v1.NodeInclusionPolicy
  nodeTaintsPolicy:v1.NodeInclusionPolicy matchLabelKeys:[]string
PodOS name:v1.OSName
PodSchedulingGate name:string
PodResourceClaim name:string resourceClaimName:string resourceClaimTemplateName:string
PodSchedulingGroup podGroupName:string
"""
